"""How much harm a command can do. Fails closed: whatever is not known to only read counts as a change.

The tree is walked with a list of the constructs that are understood; each program call is judged by its rule in
`programs`. Source of the classes: what a person may undo with one command is a change, the rest is destructive.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise

from tree_sitter import Node

from tocsin.runbook.shell.model import Classification
from tocsin.runbook.shell.options import names
from tocsin.runbook.shell.programs import RULES
from tocsin.runbook.shell.programs.wrappers import steers
from tocsin.runbook.shell.syntax import Syntax, parse, walk
from tocsin.runbook.shell.verdicts import Call, by_words, change, destructive, read, worst
from tocsin.runbook.shell.words import UNKNOWN, Constant, Scope, Word, resolve, words_of

_DEEPEST = 6  # `sh -c` in `kubectl exec` in `watch` ...: nobody reads more by eye
_LONGEST = 20_000
_UNDERSTOOD = names(
    "program list subshell compound_statement redirected_statement negated_command if_statement elif_clause "
    "else_clause for_statement while_statement do_group case_statement case_item c_style_for_statement "
    "test_command unary_expression binary_expression parenthesized_expression postfix_expression "
    "ternary_expression string raw_string string_content concatenation word number variable_name "
    "special_variable_name simple_expansion expansion command_substitution process_substitution array subscript "
    "regex extglob_pattern heredoc_redirect heredoc_start heredoc_body heredoc_content heredoc_end "
    "herestring_redirect file_descriptor arithmetic_expansion comment test_operator brace_expression command_name "
    "variable_assignments pipeline command declaration_command unset_command variable_assignment file_redirect"
)
_WORDS = {"word", "number", "string", "raw_string", "concatenation", "simple_expansion", "expansion",
          "brace_expression",
          "command_substitution", "process_substitution", "arithmetic_expansion", "ansi_c_string",
          "translated_string", "command_name"}  # fmt: skip
_HARMLESS_TARGETS = {"/dev/null", "/dev/stderr", "/dev/stdout"}
_QUIET = read("it only sets variables of its own shell")
# Constructs in which bash evaluates a value as arithmetic, and so runs `x[$(...)]` found in it.
_EVALUATES = {"test_command", "arithmetic_expansion", "c_style_for_statement", "subscript"}
_COMPARES = re.compile(r"\s-(?:eq|ne|lt|le|gt|ge|v)\s")
_SYSTEM_PATH = re.compile(r"(?:/usr(?:/local)?)?/s?bin/([\w.+-]+)")


@lru_cache(maxsize=2048)  # the same command stands in many places of a runbook
def classify(command: str) -> Classification:
    """The class of a piece of shell and the sentence that says why; the worst of its parts counts. Never raises."""
    return _judge_text(command, depth=0)


def _judge_text(text: str, *, depth: int) -> Classification:
    if depth > _DEEPEST or len(text) > _LONGEST:
        return by_words(text, "it is nested too deep or too long to be told")
    syntax = parse(text)
    if syntax.broken is not None:
        return by_words(text, "it cannot be understood as shell")
    verdicts = list(_Walk(syntax, depth).verdicts(syntax.root, fed=False))
    telling = [verdict for verdict in verdicts if verdict != _QUIET]
    return worst(telling) or worst(verdicts) or read("it runs nothing")


class _Walk:
    """One pass over one tree; `depth` counts the shell texts around it."""

    def __init__(self, syntax: Syntax, depth: int) -> None:
        self._scope = Scope(syntax, _constants(syntax))
        self._depth = depth

    def verdicts(self, node: Node, *, fed: bool) -> Iterator[Classification]:
        """A verdict for every part that does something, in document order."""
        pending = [(node, fed)]
        while pending:
            node, fed = pending.pop()
            if node.type == "((":
                yield change("arithmetic on a value may run what the value says")
            elif node.is_named and node.type not in _UNDERSTOOD:
                yield change(f"it holds a construct that is not known to only read ({node.type.replace('_', ' ')})")
            elif node.type == "command":
                yield self._command(node, fed=fed)
            elif node.type == "declaration_command":
                yield self._declaration(node)
            elif node.type == "variable_assignment":
                yield self._assignment(node)
            elif node.type == "file_redirect":
                yield self._redirect(node)
            elif node.type in _EVALUATES and (doubt := _evaluates(node, self._scope.syntax)):
                yield change(doubt)
            elif node.type == "command_substitution" and _nested_backticks(node, self._scope.syntax):
                yield change("it nests backticks, which bash reads in a way that is easily mistaken")
            elif node.type == "expansion" and any(c.type in ("@", "=", ":=") for c in node.children):
                yield change("an expansion with @ or = may run or set something")
            pending.extend((child, self._fed(child, fed)) for child in reversed(node.children))

    def _fed(self, node: Node, fed: bool) -> bool:
        """Whether something is written to the standard input of `node`."""
        parent = node.parent
        if parent is None:
            return fed
        if parent.type == "pipeline":
            before = node.prev_named_sibling
            return fed if before is None else self._scope.syntax.text(before).strip() not in ("echo", "true", ":")
        if parent.type == "redirected_statement":
            redirects = [self._scope.syntax.text(c) for c in parent.children if c.type.endswith("redirect")]
            return fed or any("<" in text and "/dev/null" not in text for text in redirects)
        return fed

    def _command(self, node: Node, *, fed: bool) -> Classification:
        parts = [c for c in node.children if c.is_named]
        if any(a.end_byte == b.start_byte and {a.type, b.type} <= _WORDS for a, b in pairwise(parts)):
            return by_words(self._scope.syntax.text(node), "its words run into one another")
        for assignment in (c for c in parts if c.type == "variable_assignment"):
            if steers(self._variable(assignment)):
                return self._assignment(assignment)
        fed = fed or any(c.type == "herestring_redirect" for c in parts)
        return self._judge(words_of([c for c in parts if c.type in _WORDS], self._scope), fed=fed)

    def _judge(self, words: Sequence[Word], *, fed: bool = True, depth: int = 0) -> Classification:
        """The class of an argument list; `depth` counts the wrappers around it."""
        if not words or depth > _DEEPEST:
            return change("which program runs cannot be told from the text")
        name = words[0]
        program = _program(name)
        if program is None:
            return by_words(" ".join(w.text for w in words[:3]), "which program runs cannot be told from the text")
        rule = RULES.get(program)
        if rule is None and program.startswith("mkfs"):
            return destructive(f"{program} removes or ends what it names")
        if rule is None:
            return change(f"{program} is not known to only read")
        inner = Call(
            program,
            tuple(words[1:]),
            fed,
            judge=lambda rest: self._judge(rest, fed=fed, depth=depth + 1),
            judge_text=lambda text: _judge_text(text, depth=self._depth + 1),
        )
        return rule(inner)

    def _declaration(self, node: Node) -> Classification:
        flags = [c for c in node.named_children if c.type not in ("variable_assignment", "variable_name")]
        texts = [resolve(c, self._scope).text for c in flags]
        if any(UNKNOWN in text or (text.startswith("-") and text not in ("-x", "-r", "-g", "-p")) for text in texts):
            return change("which variable it sets cannot be told from the text")
        if any(re.match(r"[A-Za-z_]\w*\+?=", text) for text in texts):
            return change("which variable it sets cannot be told from the text")
        return _QUIET

    def _assignment(self, node: Node) -> Classification:
        name = self._variable(node)
        if steers(name):
            return change(f"it sets {name}, which can make other programs run")
        if _hides_commands(node, self._scope.syntax):
            return change("a value holds what looks like a command, which may be run later")
        return _QUIET

    def _variable(self, node: Node) -> str:
        return re.split(r"[\[+=]", self._scope.syntax.text(node), maxsplit=1)[0]

    def _redirect(self, node: Node) -> Classification:
        operator = next((c.type for c in node.children if not c.is_named), "")
        targets = [c for c in node.named_children if c.type != "file_descriptor"]
        words = words_of(targets, self._scope)
        if operator in ("<", "<&", "<&-", ">&-"):
            if any("/dev/tcp" in word.text or "/dev/udp" in word.text for word in words):
                return change("it opens a network connection")
            return read("it reads a file")
        if operator == ">&" and all(re.fullmatch(r"\d+-?", word.text) for word in words):
            return read("it only joins two streams")
        if all(word.known and word.text in _HARMLESS_TARGETS for word in words):
            return read("its output is thrown away")
        return change("it writes a file")


def _program(word: Word) -> str | None:
    """The program's name; None when it cannot be told, or is a file outside the system's own folders."""
    if not word.known or not word.text:
        return None
    system = _SYSTEM_PATH.fullmatch(word.text)
    name = system[1] if system else word.text
    return None if "/" in name or name.startswith("-") else name


def _evaluates(node: Node, syntax: Syntax) -> str | None:
    """Why bash may run what a value says there; None when it cannot."""
    text = syntax.text(node)
    if _hides_commands(node, syntax):
        return "a test or index holds what looks like a command"
    if node.type == "test_command" and text.startswith("[[") and not _COMPARES.search(text):
        return None
    if node.type == "test_command" and not text.startswith("[[") and not re.search(r"\s-v\s", text):
        return None
    if node.type == "subscript" and not re.search(r"\[[^@*\d]", text):
        return None
    if node.type == "arithmetic_expansion" and not re.search(r"[A-Za-z_$]", text):
        return None
    return "arithmetic on a value may run what the value says"


def _nested_backticks(node: Node, syntax: Syntax) -> bool:
    text = syntax.text(node)
    return text.startswith("`") and ("\\" in text or syntax.masked.count(b"`") > 2)


def _hides_commands(node: Node, syntax: Syntax) -> bool:
    """Whether quoted text below the node spells a command substitution that only a later evaluation would run."""
    quoted = (syntax.text(n) for n in walk(node) if n.type in ("raw_string", "string_content", "word", "ansi_c_string"))
    return any("$(" in text or "`" in text or "\\$" in text for text in quoted)


def _constants(syntax: Syntax) -> dict[str, Constant]:
    """Variables the text sets exactly once, at its top level, to a plain value."""
    scope = Scope(syntax, {})
    found: dict[str, Constant] = {}
    masked = syntax.masked.decode("utf-8", "replace")
    for node in _top_assignments(syntax.root):
        name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
        if name is None or value is None or name.type != "variable_name":
            continue
        text = syntax.text(name)
        word = resolve(value, scope)
        if word.known and len(re.findall(rf"(?<![\w$])(?<!\$\{{){re.escape(text)}(?!\w)", masked)) == 1:
            found[text] = Constant(word.text, node.end_byte)
    return found


def _top_assignments(root: Node) -> Iterator[Node]:
    for node in root.children:
        if node.type in ("variable_assignment", "variable_assignments", "declaration_command"):
            yield from (child for child in walk(node) if child.type == "variable_assignment")
