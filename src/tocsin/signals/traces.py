"""Stack traces in lines of text: Python, Java, Go and Node, put together and given a name. Refuses to read anything.

Two traces are the same when they are of one kind of exception and went through the same functions of the same files.
What varies between two occurrences does not count: the message, line numbers, addresses, generated names, how deep a
recursion went.

Sources: the `traceback` module, `Throwable.printStackTrace`, `runtime.gopanic`, V8's "Stack trace API".
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable

import msgspec
from msgspec import Struct

from tocsin.incident.alert import fingerprint

MOST_LINES = 300
"""Of one trace are kept; the rest belongs to it and is not looked at."""
SHOWN_LINES = 40
HEADS = 4
"""Lines before the first frame in which the exception's kind is sought."""
JSON_LIMIT = 64

_STAMP = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d) ")
_PYTHON = re.compile(r"^(?P<margin>[ |+]{0,40})(?:Exception Group )?Traceback \(most recent call last\):\s*$")
_GROUPED = re.compile(r"^\s{0,40}[|+][ |+]{0,40}")
_PYTHON_FRAME = re.compile(r'^\s{0,40}File "(?P<file>[^"]{1,400})", line \d+(?:, in (?P<function>.{1,200}))?$')
_CHAINED = re.compile(r"^(?:During handling of the above exception, another|The above exception was the direct cause)")
_AT = re.compile(r"^\s{1,40}at (?P<what>\S.{0,600})$")
_JAVA_FRAME = re.compile(r"^(?P<function>[^\s()]{1,400})\((?P<file>[^()]{0,200})\)(?: ~?\[[^\]]*\])?$")
_NODE_NAMED = re.compile(r"^(?:async )?(?P<function>[^(]{1,300}) \((?P<file>[^()]{1,300}?)(?::\d+){0,2}\)$")
_NODE_BARE = re.compile(r"^(?:async )?(?P<file>(?:/|file:|node:|[A-Za-z]:\\)[^()]{1,300}?)(?::\d+){1,2}$")
_JAVA_MORE = re.compile(r"^\s{0,40}(?:\.\.\. \d+ (?:more|common frames omitted)|Caused by: |Suppressed: )")
_GO = re.compile(r"^goroutine \d+ (?:gp=\S+ m=\S+ (?:mp=\S+ )?)?\[[^\]]{1,80}\]:\s*$")
_GO_CALL = re.compile(r"^(?P<function>[^\s(][^\s]{0,300})\([^()]{0,2000}\)$")
_GO_CREATED = re.compile(r"^created by (?P<function>\S{1,300})(?: in goroutine \d+)?$")
_GO_FILE = re.compile(r"^\t(?P<file>\S{1,300}\.(?:go|s)):\d+")
_KIND = re.compile(r"(?:^|[\s:\"])(?P<kind>(?:[A-Za-z_$][\w$]{0,80}[./]){0,12}[A-Z][\w$]{0,100})(?=:|\s*$)")
_PYTHON_KIND = re.compile(r"[A-Za-z_][\w.]{0,200}")
_USUAL = re.compile(r"(?:Exception|ExceptionGroup|Error|Throwable|Failure|Interrupt|Exit|Warning|Fault)\d*$")
_GENERATED = re.compile(
    r"(?:\$\$(?:Lambda|EnhancerBy\w+|FastClassBy\w+)[$/\w]*|0x[0-9a-fA-F]+|(?<=Accessor)\d+|(?<=Proxy)\d+)"
)


class Trace(Struct, frozen=True):
    """One exception. `frames` are "function (file)", in the order written; `text` is what was written, cut short."""

    language: str
    kind: str
    message: str
    frames: tuple[str, ...]
    text: str

    @property
    def fingerprint(self) -> str:
        """The 16 hex digits by which it is the same as another."""
        return fingerprint({"kind": f"{self.language} {self.kind}", "frames": "\n".join(self.frames)})

    @property
    def where(self) -> str:
        """The function that raised it, as far as the language says which frame that is."""
        return self.frames[-1 if self.language == "python" else 0]


class Assembler:
    """Lines of one stream in, whole traces out; a trace ends with the first line that is none of its own."""

    def __init__(self) -> None:
        self._before: deque[str] = deque(maxlen=HEADS)
        self._open: _Open | None = None

    def feed(self, line: str) -> list[Trace]:
        """The traces that this line ended."""
        if line.startswith("{"):
            packed = _packed(line)
            if packed:
                return [*self.end(), *packed]
        line = _STAMP.sub("", line, count=1).rstrip()
        if self._open is not None and self._open.takes(line):
            return []
        ended = self.end()
        self._open = _begun(line, tuple(self._before))
        if self._open is None:
            self._before.append(line)
        else:
            self._before.clear()
        return ended

    def end(self) -> list[Trace]:
        """The trace that is open, because nothing more comes of it."""
        found = self._open.trace() if self._open is not None else None
        self._open = None
        return [found] if found else []


class _Open:
    """A trace of which more may come."""

    language = ""

    def __init__(self, *written: str) -> None:
        self.written = list(written)
        self.frames: list[str] = []
        self.heads: list[str] = []

    def takes(self, line: str) -> bool:
        """Whether the line belongs to it; it is kept then."""
        belongs = self.belongs(line)
        if belongs and len(self.written) < MOST_LINES:
            self.written.append(line)
        return belongs

    def belongs(self, line: str) -> bool:
        raise TypeError(f"{type(self).__name__} reads no lines")

    def frame(self, function: str, file: str) -> None:
        """Keeps a frame; a run of the same ones is one, so that a recursion's depth does not count."""
        said = _GENERATED.sub("*", f"{function.strip()} ({file})")
        if len(self.frames) < MOST_LINES and said not in self.frames[-6:]:
            self.frames.append(said)

    def kind(self) -> str:
        named = [m["kind"] for head in reversed(self.heads) for m in _KIND.finditer(head)]
        usual = [kind for kind in named if _USUAL.search(kind)]
        return _GENERATED.sub("*", (usual or named or ["exception"])[0])

    def trace(self) -> Trace | None:
        """None when it came to nothing: a beginning without a single frame."""
        if not self.frames:
            return None
        message = next((head.strip() for head in reversed(self.heads) if head.strip()), "")
        return Trace(self.language, self.kind(), message, tuple(self.frames), "\n".join(self.written[:SHOWN_LINES]))


class _Python(_Open):
    language = "python"

    def __init__(self, first: str, margin: str) -> None:
        super().__init__(first)
        self._grouped = bool(margin.strip())
        self._said = False
        self._between = False

    def belongs(self, line: str) -> bool:
        if self._grouped:
            return self._belongs_to_group(line)
        if found := _PYTHON_FRAME.match(line):
            self.frame(found["function"] or "<module>", found["file"])
            return True
        if _PYTHON.match(line):
            return self._between and not self._said
        if _CHAINED.match(line):
            self._said, self._between = False, True
            return True
        if not line:
            begins, self._between = self._said or self._between, True
            return begins  # a chained one is announced between two empty lines
        if self._said:
            return False
        self._between = False
        if not line.startswith((" ", "\t")):
            self.heads.append(line)
            self._said = True
        return True

    def kind(self) -> str:
        said = _PYTHON_KIND.match(self.heads[-1]) if self.heads else None
        return said[0] if said else "exception"

    def _belongs_to_group(self, line: str) -> bool:
        """Everything of an exception group stands behind a bar."""
        bar = _GROUPED.match(line)
        if bar is None:
            return bool(_PYTHON.match(line))
        inner = line[bar.end() :]
        if found := _PYTHON_FRAME.match(inner):
            self.frame(found["function"] or "<module>", found["file"])
        elif (kind := _KIND.match(inner)) and (_USUAL.search(kind["kind"]) or kind["kind"].endswith("Group")):
            self.heads.insert(0, inner)  # the group itself is said first and is the last one asked
        return True


class _AtFrames(_Open):
    """Java and Node: the exception first, then a line `at ...` for each frame."""

    def __init__(self, heads: tuple[str, ...], first: str, language: str) -> None:
        named = next((n for n in range(len(heads) - 1, -1, -1) if _has_kind(heads[n])), len(heads) - 1)
        kept = heads[max(named, 0) :]
        super().__init__(*kept, first)
        self.language = language
        self.heads = list(kept[:1])
        self.belongs(first)

    def belongs(self, line: str) -> bool:
        found = _AT.match(line)
        if found is None:
            return bool(_JAVA_MORE.match(line)) if self.language == "java" else False
        function, file = _at(found["what"])
        self.frame(function, file)
        return True


class _Go(_Open):
    """A panic: of its goroutines only the first, which is the one that failed, names it."""

    language = "go"

    def __init__(self, heads: tuple[str, ...], first: str) -> None:
        said = [head for head in heads if head.startswith(("panic:", "fatal error:")) or "panic" in head]
        super().__init__(*(said[-1:]), first)
        self.heads = said[-1:]
        self._function = ""
        self._first = True

    def belongs(self, line: str) -> bool:
        if not line:
            self._first = False
            return True
        if _GO.match(line):
            return True
        if found := _GO_FILE.match(line):
            if self._first and self._function:
                self.frame(self._function, found["file"])
            self._function = ""
            return True
        if call := _GO_CALL.match(line) or _GO_CREATED.match(line):
            self._function = call["function"]
            return True
        return line.startswith(("[signal ", "...additional frames"))

    def kind(self) -> str:
        head = self.heads[-1] if self.heads else ""
        fault = re.search(r"runtime error: [a-z ]{1,80}", head)
        return fault[0].strip() if fault else "fatal error" if head.startswith("fatal error:") else "panic"


def _begun(line: str, before: tuple[str, ...]) -> _Open | None:
    if python := _PYTHON.match(line):
        return _Python(line, python["margin"])
    if _GO.match(line):
        return _Go(before, line)
    found = _AT.match(line)
    if found is None or not before:
        return None
    if _JAVA_FRAME.match(found["what"]):
        return _AtFrames(before, line, "java")
    if _NODE_NAMED.match(found["what"]) or _NODE_BARE.match(found["what"]):
        return _AtFrames(before, line, "node")
    return None


def _at(what: str) -> tuple[str, str]:
    if java := _JAVA_FRAME.match(what):
        return java["function"].rpartition("//")[2], java["file"].partition(":")[0]
    if node := _NODE_NAMED.match(what):
        return node["function"], node["file"]
    bare = _NODE_BARE.match(what)
    return "<anonymous>", bare["file"] if bare else what


def _has_kind(line: str) -> bool:
    return any(_USUAL.search(found["kind"]) for found in _KIND.finditer(line))


def _packed(line: str) -> list[Trace]:
    """The traces in the values of a line that is a JSON object, as structured loggers write them; else none."""
    try:
        given = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []
    found: dict[str, Trace] = {}
    for text in _texts(given, depth=3):
        inner = Assembler()
        for piece in text.split("\n")[: MOST_LINES * 2]:
            found |= {t.fingerprint: t for t in inner.feed(piece.removesuffix("\r").lstrip("{"))}
        found |= {t.fingerprint: t for t in inner.end()}
    return list(found.values())


def _texts(given: object, *, depth: int) -> Iterable[str]:
    """The values of several lines, at most so deep in the object."""
    if isinstance(given, str):
        if "\n" in given:
            yield given
    elif isinstance(given, dict) and depth:
        for value in list(given.values())[:JSON_LIMIT]:
            yield from _texts(value, depth=depth - 1)
