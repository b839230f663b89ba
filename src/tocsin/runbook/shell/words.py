"""The arguments of a command as its program would see them, as far as the text alone can tell."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from msgspec import Struct
from tree_sitter import Node

from tocsin.runbook.shell.syntax import Syntax

PLACE = "\ue000"  # stands for a value a person gives: one word, never beginning with "-"
UNKNOWN = "\ue001"  # stands for what only running the text would tell
_GLOB = re.compile(r"[*?\[]")
_BRACES = re.compile(r"\{[^{}]*(?:,|\.\.)[^{}]*\}")


class Word(Struct, frozen=True, gc=False):
    """One argument. `splits` is true when it may become several words, or none, before the program sees it."""

    text: str
    splits: bool = False

    @property
    def known(self) -> bool:
        """Whether the text alone tells the whole value."""
        return not self.splits and PLACE not in self.text and UNKNOWN not in self.text

    @property
    def may_be_option(self) -> bool:
        """Whether the program may take it for an option."""
        return self.text.startswith(("-", UNKNOWN)) or (self.splits and UNKNOWN in self.text)


class Constant(Struct, frozen=True, gc=False):
    """The plain value of a variable from byte `since` of the text on."""

    value: str
    since: int


class Scope(Struct, frozen=True):
    """What resolving needs: the syntax and the variables whose plain value the text itself gives."""

    syntax: Syntax
    variables: Mapping[str, Constant]


def words_of(nodes: Sequence[Node], scope: Scope) -> list[Word]:
    return [resolve(node, scope) for node in nodes]


def resolve(node: Node, scope: Scope) -> Word:
    """The value of one word of the tree, with PLACE and UNKNOWN where the text does not tell it."""
    text, splits = _value(node, scope, quoted=False)
    return Word(text, splits)


def _value(node: Node, scope: Scope, *, quoted: bool) -> tuple[str, bool]:
    kind = node.type
    if kind == "raw_string":
        return _masked(node, scope)[1:-1], False
    if kind == "string":
        return _string(node, scope), False
    if kind in ("concatenation", "command_name"):
        return _joined(node, scope)
    if kind in ("word", "number", "string_content", "variable_name", "special_variable_name"):
        return _literal(_masked(node, scope), quoted=quoted)
    if kind in ("simple_expansion", "expansion"):
        return _expansion(node, scope, quoted=quoted)
    return UNKNOWN, not quoted


def _joined(node: Node, scope: Scope) -> tuple[str, bool]:
    if not node.children:
        return _literal(_masked(node, scope), quoted=False)
    parts = [_value(child, scope, quoted=False) for child in node.children]
    text = "".join(part for part, _ in parts)
    return text, any(splits for _, splits in parts) or bool(_BRACES.search(scope.syntax.text(node)))


def _string(node: Node, scope: Scope) -> str:
    """The value between double quotes; white space the grammar leaves out is taken as it is."""
    start, end = node.start_byte + 1, node.end_byte - 1
    text, at = "", start
    for child in node.named_children:
        text += scope.syntax.masked[at : child.start_byte].decode("utf-8", "replace")
        text += _value(child, scope, quoted=True)[0]
        at = child.end_byte
    return text + scope.syntax.masked[at:end].decode("utf-8", "replace")


def _literal(text: str, *, quoted: bool) -> tuple[str, bool]:
    if "\\" not in text:
        return text, not quoted and bool(_GLOB.match(text) or _BRACES.search(text))
    if quoted:
        return re.sub(r"\\([$`\"\\\n])", lambda m: "" if m[1] == "\n" else m[1], text), False
    bare = re.sub(r"\\.", "", text, flags=re.DOTALL)
    value = re.sub(r"\\(.)", lambda m: "" if m[1] == "\n" else m[1], text, flags=re.DOTALL)
    # A glob only ever becomes names of files; `pod*` stays one word where nothing matches.
    return value, bool(_GLOB.match(bare) or _BRACES.search(bare))


def _expansion(node: Node, scope: Scope, *, quoted: bool) -> tuple[str, bool]:
    name = re.fullmatch(r"\$(\w+)|\$\{(\w+)\}", scope.syntax.text(node))
    constant = scope.variables.get(name[1] or name[2]) if name else None
    if constant is None or node.start_byte < constant.since:
        return UNKNOWN, not quoted
    if not quoted and not re.fullmatch(r"[\w./:@%+=,-]+", constant.value):
        return UNKNOWN, True
    return constant.value, False


def _masked(node: Node, scope: Scope) -> str:
    """The node's text with PLACE for each blank."""
    data, at = b"", node.start_byte
    for blank in scope.syntax.blanks_in(node):
        data += scope.syntax.masked[at : blank.start] + PLACE.encode()
        at = blank.end
    return (data + scope.syntax.masked[at : node.end_byte]).decode("utf-8", "replace")
