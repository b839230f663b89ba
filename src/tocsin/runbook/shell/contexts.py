"""Where each blank of a command stands, and whether a value can ever be put there safely.

A value travels in the environment and is expanded once, inside quotes. That is safe only where one shell reads the
place: not in a string that a second interpreter reads again, not where the value would choose a program, an option
or a file to write.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import Enum

from msgspec import Struct
from tree_sitter import Node

from tocsin.runbook.model import Placeholder
from tocsin.runbook.shell.placeholders import Blank, type_of
from tocsin.runbook.shell.syntax import Syntax


class Quoting(Enum):
    BARE = "bare"
    DOUBLE = "double"
    SINGLE = "single"


class Use(Struct, frozen=True, gc=False):
    """One blank in its place. `refused` says why no value may stand there, None when one may."""

    blank: Blank
    quoting: Quoting
    refused: str | None


_QUOTES = {"string": Quoting.DOUBLE, "raw_string": Quoting.SINGLE}
_PLAIN = {
    "program", "list", "pipeline", "subshell", "compound_statement", "redirected_statement", "negated_command",
    "if_statement", "elif_clause", "else_clause", "for_statement", "while_statement", "do_group", "command",
    "declaration_command", "variable_assignment", "string", "string_content", "raw_string", "word", "number",
    "concatenation",
}  # fmt: skip
_REFUSALS = {
    "command_substitution": "it stands inside $(...), where its quoting is lost",
    "process_substitution": "it stands inside <(...), where its quoting is lost",
    "heredoc_body": "it stands inside a here-document, which another program reads",
    "heredoc_redirect": "it stands inside a here-document, which another program reads",
    "herestring_redirect": "it stands inside a here-string, which another program reads",
    "ansi_c_string": "it stands inside $'...', where no variable is expanded",
    "file_redirect": "it would choose a file to read or write",
    "command_name": "it would choose the program that runs",
    "test_command": "it stands inside a test, which may evaluate it",
    "arithmetic_expansion": "it stands inside arithmetic, which evaluates it",
    "function_definition": "it stands inside a function",
}
_ALL_ARGUMENTS = {"eval", "watch", "awk", "gawk", "mawk", "jq", "yq", "sed", "perl", "ruby", "node", "php", "parallel",
                  "python", "python3", "osascript", "lua", "tclsh"}  # fmt: skip
_CODE_FLAG = {"sh", "bash", "dash", "ash", "zsh", "ksh", "su", "psql", "mysql", "mariadb", "mongo", "mongosh", "cqlsh",
              "sqlcmd", "clickhouse-client", "runuser"}  # fmt: skip
_CODE = re.compile(r"(?:-[A-Za-z]*[cevCEQq]|--(?:command|execute|eval|query|set|variable)(?:=.*)?|-[ce].+)", re.DOTALL)
_CLUSTER_TOOLS = {"kubectl", "k", "oc", "helm", "kubecolor"}
_NEVER = re.compile(
    r"(?:--(?:kubeconfig|context|cluster|user|server|token|as|as-group|as-uid|filename|kustomize|raw|certificate-authority"
    r"|client-key|client-certificate|kube-context|kube-token|kube-apiserver|kube-as-user)|-s|-k)(?:=.*)?",
    re.DOTALL,
)


def uses(syntax: Syntax) -> tuple[Use, ...]:
    """Every blank outside comments, in document order."""
    found = []
    for blank in syntax.blanks:
        node = syntax.root.named_descendant_for_byte_range(blank.start, blank.end - 1)
        if node is not None and node.type != "comment":
            found.append(_use(blank, node, syntax))
    return tuple(found)


def placeholders(syntax: Syntax) -> tuple[Placeholder, ...]:
    """The values a person must give, each name once; refused when any of its places is."""
    named: dict[str, Placeholder] = {}
    for use in uses(syntax):
        kind = type_of(use.blank, syntax.source)
        before = named.get(use.blank.name)
        if before is None:
            named[use.blank.name] = Placeholder(use.blank.name, kind, use.refused)
            continue
        kind = kind if before.type in ("name", "text") else before.type
        named[use.blank.name] = Placeholder(use.blank.name, kind, before.refused or use.refused)
    return tuple(named.values())


def _use(blank: Blank, node: Node, syntax: Syntax) -> Use:
    quoting, refused = Quoting.BARE, "the text around it could not be understood" if syntax.broken is not None else None
    current: Node | None = node
    while current is not None:
        if current.type in _QUOTES and quoting is Quoting.BARE:
            quoting = _QUOTES[current.type]
        if current.type == "command":
            refused = refused or _refused_in_command(blank, current, syntax)
        elif current.type not in _PLAIN:
            refused = refused or _REFUSALS.get(current.type, "it stands where a value cannot be quoted")
        current = current.parent
    return Use(blank, quoting, refused)


def _refused_in_command(blank: Blank, command: Node, syntax: Syntax) -> str | None:
    if any(c.type == "command_name" and c.start_byte <= blank.start < c.end_byte for c in command.children):
        return _REFUSALS["command_name"]
    words = [c for c in command.children if c.is_named and c.type != "variable_assignment"]
    before = [_plain(syntax.text(w)) for w in words if w.end_byte <= blank.start]
    own = next((syntax.text(w) for w in words if w.start_byte <= blank.start < w.end_byte), "")
    head = own.split(f"<{blank.name}>", 1)[0].strip("\"'")
    if head.startswith("-") and "=" not in head:
        return "it would choose an option"
    return _refused_by_program(before, head, _plain(own))


def _refused_by_program(before: list[str], head: str, own: str) -> str | None:
    programs = [re.split(r"[/\\]", word)[-1] for word in before]
    last = before[-1] if before else ""
    for index, program in enumerate(programs):
        if program in _ALL_ARGUMENTS:
            return f"{program} reads it as a program of its own"
        if program in _CODE_FLAG and (_CODE.fullmatch(last) or _CODE.fullmatch(own)):
            return f"{program} reads the string as a program of its own"
        if program == "ssh" and _has_positional(before[index + 1 :]):
            return "ssh hands it to a second shell on the other machine"
    if _CLUSTER_TOOLS.intersection(programs) and _chooses_cluster(before, last, head):
        return "a value must not choose the cluster, the credentials or a file of objects"
    return None


def _chooses_cluster(before: list[str], last: str, head: str) -> bool:
    if _NEVER.fullmatch(last) and "=" not in last:
        return True
    if "=" in head and _NEVER.fullmatch(head):
        return True
    return last == "-f" and "logs" not in before


def _has_positional(words: Iterable[str]) -> bool:
    takes_value = False
    for word in words:
        if word.startswith("-"):
            takes_value = len(word) == 2 and word[1] in "bcDEeFIiJLlmOopQRSWw"
        elif takes_value:
            takes_value = False
        else:
            return True
    return False


def _plain(word: str) -> str:
    return word.replace("\\", "").strip("\"'")
