"""Procedures: the fenced commands under each heading, what they are for, and what they rely on."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct, structs

from tocsin.runbook import findings, steps
from tocsin.runbook.document import Block, Code, Document, Items, Part, Section, walk
from tocsin.runbook.model import Finding, Procedure, Purpose, Step, StepClass, StepKind
from tocsin.runbook.shell import names_of, split_fence, uses_of
from tocsin.runbook.wording import Wording, plain, slug, unique, unnumbered, without_parentheses

SHELL = frozenset({"bash", "sh", "shell", "zsh", "console", "shell-session", "sh-session", "terminal"})
_INTERPRETED = frozenset(
    {"powershell", "pwsh", "ps1", "cmd", "bat", "python", "py", "javascript", "js", "ruby", "perl", "php"}
)
_READ = SHELL | steps.PROMQL | steps.SQL

_PURPOSES: tuple[tuple[Purpose, Wording], ...] = (
    (Purpose.REFERENCE, Wording(r"reference|key commands|useful commands|common commands|cheat.?sheet", re.I)),
    (Purpose.VERIFICATION, Wording(r"verif|validat|confirm (?:the )?(?:fix|recovery)", re.I)),
    (Purpose.ASSESSMENT, Wording(r"assess|triage|first (?:five|ten|[0-9]+) min|initial (?:check|response)", re.I)),
    (Purpose.INVESTIGATION, Wording(r"investigat|diagnos|troubleshoot|debug", re.I)),
)
_PARTS = (
    "symptom symptoms sign signs diagnosis diagnose diagnostic diagnostics investigation investigate "
    "detection detect immediate initial action actions response resolution resolve remediation remediate "
    "mitigation mitigate fix fixes quick recovery recover verification verify validation prevention cause "
    "causes root common possible triage escalation impact steps step procedure procedures commands checks "
    "check and or the how to confirm sintomas diagnóstico resolução síntomas "
)
_JOINING = "step steps procedure procedures commands checks check and or the how to common possible quick "
_PART_WORDS = frozenset(_PARTS.split())
_GLUE = frozenset(_JOINING.split())
_SCENARIOS = Wording(
    r"scenario|playbooks?$|runbooks?$|runbooks?\b.*\b(?:by|for|per)\b|(?:common|known|typical|"
    r"frequent|specific|special) .*"
    r"(?:incident|issue|problem|failure|alert|outage|procedure|response|case|error)|(?:incident|failure|alert|outage) "
    r"(?:types?|modes?|runbooks?|playbooks?|scenarios?)|troubleshooting|cen[aá]rios?|escenarios?|"
    r"sc[eé]narios?|problemas comun",
    re.IGNORECASE,
)
_SCENARIO = Wording(
    r"(?:scenario|playbook|runbook|case)\s+[0-9a-z]\b|(?:rb|pb|rbk|run|sop|kb|play)-?[0-9]{1,3}\b", re.IGNORECASE
)
_GRADED = re.compile(r"(?:sev|p)[\s-]?[0-9]\s?[:–—-]\s?\w{3,}", re.IGNORECASE)  # `P2: The search is slow`
_PHASE = Wording(
    r"(?:step|phase|stage)\s+[0-9]|post-?\s?(?:incident|mortem)|communicat|escalat|contact|severit|"
    r"overview|template|related|"
    r"reference|prevention|checklist|table of contents|on-?call",
    re.IGNORECASE,
)


class Sheet(Struct, frozen=True, gc=False):
    """One fence of a procedure, split into steps; `environment` holds the `export` lines it establishes."""

    steps: tuple[Step, ...]
    environment: tuple[str, ...]


class _Draft(Struct, frozen=True):
    home: Section
    sheets: tuple[Sheet, ...]


def read(document: Document) -> tuple[tuple[Procedure, ...], tuple[str, ...], list[Finding]]:
    """The procedures in document order, the `export` lines of the assessment, and what is doubtful about the steps."""
    said: list[Finding] = []
    drafts = _drafts(document, said)
    purposes = [purpose_of(draft.home.trail) for draft in drafts]
    environment = _environment(drafts, purposes)
    exported = {name: line for line in reversed(environment) for name in names_of(line)}
    taken: set[str] = set()
    procedures = []
    for draft, meant in zip(drafts, purposes, strict=True):
        relying = tuple(step for sheet in draft.sheets for step in _relying(document, sheet, exported, said))
        if meant in {Purpose.ASSESSMENT, Purpose.VERIFICATION}:
            said += [_change(document, step, meant) for step in relying if _changes(step)]
        name = unique(slug(draft.home.title) or "procedure", taken)
        title, section = draft.home.title or document.title, _section(draft.home)
        procedures.append(Procedure(title, name, section, meant, relying, draft.home.line))
    return tuple(procedures), environment, said if procedures else [*said, findings.absent(findings.NO_PROCEDURES)]


def purpose_of(titles: Iterable[str]) -> Purpose:
    """What the procedure below those headings is for, by the words of the innermost that has any; innermost first."""
    for title in titles:
        for meant, wording in _PURPOSES:
            if wording.search(title):
                return meant
    return Purpose.OTHER


def _drafts(document: Document, said: list[Finding]) -> list[_Draft]:
    """The fences gathered under their headings; `Symptoms`, `Diagnosis`, `Resolution` belong to the scenario above.

    A scenario without a fence has the numbered steps below its heading, any other heading those of a list with several
    commands in backticks.
    """
    homes: dict[int, Section] = {}
    sheets: dict[int, list[Sheet]] = {}
    numbered: dict[int, list[Section]] = {}
    for section, home in _scenarios(document):
        for part in section.parts():
            for code, context in _fences(part.blocks, part):
                homes[home.line] = home
                sheets.setdefault(home.line, []).append(_sheet(code, context or home.title, said))
            said += [
                _not_run(code) for code in _codes(part) if code.language in _INTERPRETED and not steps.is_shell(code)
            ]
        if home.level and not _PHASE.search(home.title):
            homes[home.line] = home
            numbered.setdefault(home.line, []).append(section)
    drafts = []
    for line in sorted(homes):
        known = _is_scenario(homes[line]) or _is_anatomy(numbered.get(line, ()))
        gathered = [sheet for sheet in sheets.get(line, ()) if sheet.steps]
        if not gathered:
            listed = (steps.listed(section, said) for section in numbered.get(line, ()))
            gathered = [Sheet(found, ()) for found in listed if found and (known or _runnable(found) > 1)]
        if gathered:
            drafts.append(_Draft(homes[line], tuple(gathered)))
    return drafts


def in_scenario(path: tuple[str, ...]) -> bool:
    """Whether what stands under those titles is part of one scenario, e.g. its own `Mitigation`."""
    return bool(path) and (bool(_SCENARIO.match(path[-1])) or any(_SCENARIOS.search(title) for title in path[-2:-1]))


def _is_anatomy(parts: Sequence[Section]) -> bool:
    """Whether those sections, the heading's own first, take one case apart: two parts at least, or a list of phases."""
    lists = (block for section in parts[:1] for block in section.blocks if isinstance(block, Items))
    return len(parts) > 2 or any(steps.is_phased(block) for block in lists)


def _runnable(found: tuple[Step, ...]) -> int:
    return sum(step.kind is not StepKind.MANUAL for step in found)


def _is_scenario(home: Section) -> bool:
    """Whether a heading names something that can go wrong: by itself, or by the heading above it."""
    if home.level == 0 or _PHASE.search(home.title):
        return False
    return bool(_SCENARIO.match(home.title)) or any(_SCENARIOS.search(title) for title in home.path[-1:])


def _scenarios(document: Document) -> Iterator[tuple[Section, Section]]:
    """Each section with the one its fences belong to: itself, or the scenario it is a part of.

    A part has a name like `Diagnosis` and no number (numbered ones are phases of a process), and its parent at least
    two such parts. One called `Steps` and no more always belongs to its parent.
    """
    parents = list(holders(document))
    named = Counter(
        parent.line for section, parent in zip(document.sections, parents, strict=True) if _is_part(section)
    )
    for section, parent in zip(document.sections, parents, strict=True):
        known = named[parent.line] >= 2 or _SCENARIO.match(parent.title) or _GRADED.match(parent.title)
        rolled = (_is_part(section) and known) or _is_unnamed(section)
        yield section, parent if rolled and parent.level >= 2 else section


def holders(document: Document) -> Iterator[Section]:
    """For each section in order the one that holds it; itself at the top."""
    above: list[Section] = []
    for section in document.sections:
        above = [holder for holder in above if holder.level < section.level]
        yield above[-1] if above else section
        above.append(section)


def _is_part(section: Section) -> bool:
    words = _words(section)
    return 0 < len(words) <= 4 and _PART_WORDS.issuperset(words) and not _GLUE.issuperset(words)


def _is_unnamed(section: Section) -> bool:
    return bool(_words(section)) and _GLUE.issuperset(_words(section))


def _words(section: Section) -> list[str]:
    return without_parentheses(section.title).rstrip(":").casefold().replace("&", "and").split()


def _fences(blocks: tuple[Block, ...], part: Part, context: str = "") -> Iterator[tuple[Code, str]]:
    """Each shell fence with the words nearest to it: the list item that holds it, else its bold label."""
    for block in blocks:
        if isinstance(block, Code) and (block.language in _READ or (steps.is_shell(block) and not _is_text(part))):
            yield block, context or part.label
        elif isinstance(block, Items):
            for item in block.items:
                yield from _fences(item.blocks, part, plain(item.text).rstrip(":"))


def _codes(part: Part) -> Iterator[Code]:
    return (block for block in walk(part.blocks) if isinstance(block, Code))


def _not_run(code: Code) -> Finding:
    message = f"what is written in {code.language} here is left to a person"
    return findings.at(findings.NOT_RUN, (code.line, 1), message)


def _is_text(part: Part) -> bool:
    """Whether what stands under that label is meant for people."""
    return bool(re.search("output|template|message|example", part.label, re.IGNORECASE))


def _sheet(code: Code, context: str, said: list[Finding]) -> Sheet:
    if code.language in steps.PROMQL:
        return Sheet(steps.queries(code), ())
    if code.language in steps.SQL:
        return Sheet(steps.statements(code), ())
    fence = split_fence(code.text, line=code.body_line)
    said += fence.findings
    titled = tuple(
        steps.without_sql(step if step.title else structs.replace(step, title=context), code, said)
        for step in fence.steps
    )
    return Sheet(titled, fence.environment)


def _section(home: Section) -> str:
    """The part of the document the procedure belongs to: its outermost heading below the title, without a number."""
    return unnumbered(home.path[0] if home.path else home.title)


def _environment(drafts: list[_Draft], purposes: list[Purpose]) -> tuple[str, ...]:
    lines = (
        line
        for draft, meant in zip(drafts, purposes, strict=True)
        if meant is Purpose.ASSESSMENT
        for sheet in draft.sheets
        for line in sheet.environment
    )
    return tuple(dict.fromkeys(lines))


def _relying(document: Document, sheet: Sheet, exported: Mapping[str, str], said: list[Finding]) -> Iterator[Step]:
    """The steps, marked where they rely on an export of the assessment (`exported`: variable -> its line); where
    the sheet has not repeated it, its first such step is said."""
    own = {name for line in sheet.environment for name in names_of(line)}
    told = False
    for step in sheet.steps:
        asked = bool(exported) and step.kind is StepKind.SHELL
        needed = sorted(uses_of(step.command) & exported.keys()) if asked else []
        missing = list(dict.fromkeys(exported[name] for name in needed if not own.issuperset(names_of(exported[name]))))
        if missing and not told:
            said.append(_unestablished(document, step, missing))
            told = True
        yield structs.replace(step, needs_environment=step.needs_environment or bool(needed))


def _unestablished(document: Document, step: Step, missing: list[str]) -> Finding:
    names = ", ".join(dict.fromkeys(name for line in missing for name in names_of(line)))
    message = f"environment not established: these commands rely on {names}, which only the assessment exports"
    hint = f"Begin the fence with `{'; '.join(missing)}`."
    return findings.at(findings.NO_ENVIRONMENT, _place(document, step), message, hint)


def _changes(step: Step) -> bool:
    return step.kind is StepKind.SHELL and step.step_class is not StepClass.READ


def _change(document: Document, step: Step, meant: Purpose) -> Finding:
    why = f" ({step.class_reason})" if step.class_reason else ""
    message = f'"{step.title}" may change production{why}; in {meant.value} it waits for an approval'
    return findings.at(findings.CHANGE_BY_ITSELF, _place(document, step), message, "Move it to a mitigation.")


def _place(document: Document, step: Step) -> tuple[int, int]:
    """(line, column) of the step's first command line; of its title when the command is not found again."""
    first = step.command.strip().split("\n")[0].strip()
    for line in range(step.line, min(step.line + 20, len(document.lines)) + 1):
        if first and first in document.source(line):
            return line, document.column(line, first)
    return step.line, document.column(step.line, "")
