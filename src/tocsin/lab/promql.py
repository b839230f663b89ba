"""A small part of PromQL over the samples in memory: enough for the queries a runbook asks of this production.

Understood: selectors with the four label matchers, `[range]`, `rate`, `irate`, `increase`, `sum`, `avg`, `min`, `max`,
`count` with `by`/`without`, `histogram_quantile`, numbers, parentheses, `+ - * /`, the comparisons that filter, and
`or`, `and`, `unless`. Everything else is refused as Prometheus refuses bad input.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

from tocsin.lab.counters import Labels, Sample, Series

Vector = dict[Labels, float]
Value = float | Vector
LOOKBACK_S = 300.0
MOST_POINTS = 11_000

_TOKEN = re.compile(
    r"\s*(?:(?P<duration>(?:\d+(?:ms|[smhdwy]))+)(?!\w)|(?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)"
    r"|(?P<name>[a-zA-Z_:][\w:]*)|(?P<string>\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')"
    r"|(?P<op>=~|!~|!=|==|>=|<=|[-+*/(){}\[\],=<>]))"
)
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0, "y": 31_536_000.0}
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">": lambda a, b: a > b,
    "<": lambda a, b: a < b,
    ">=": lambda a, b: a >= b,
    "<=": lambda a, b: a <= b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
}
_MATCH: dict[str, Callable[[str, str], bool]] = {
    "=": lambda have, want: have == want,
    "!=": lambda have, want: have != want,
    "=~": lambda have, want: re.fullmatch(want, have) is not None,
    "!~": lambda have, want: re.fullmatch(want, have) is None,
}


class QueryError(Exception):
    """The expression cannot be evaluated; the text is the `error` of a `bad_data` answer."""


class Token(NamedTuple):
    """A word of the expression and where it starts, from 0."""

    kind: str
    text: str
    at: int


class Matcher(NamedTuple):
    """One label matcher of a selector."""

    label: str
    operator: str
    value: str


class Point(NamedTuple):
    """A series' value at an instant."""

    at: float
    value: float


class History:
    """What was sampled, series by series, oldest first; made once for the many instants of a range."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self.times = [sample.at for sample in samples]
        self.series: dict[Series, list[Point]] = {}
        for sample in samples:
            for key, value in sample.values.items():
                self.series.setdefault(key, []).append(Point(sample.at, value))

    def latest(self, now: float) -> float:
        """When it was sampled last, at `now`; `now` itself when never."""
        at = bisect_right(self.times, now)
        return self.times[at - 1] if at else now


class Query:
    """One expression, evaluated at `now` while it is parsed."""

    def __init__(self, text: str, samples: Sequence[Sample] | History, *, now: float) -> None:
        self._tokens = list(_tokens(text))
        self._next = 0
        self._history = samples if isinstance(samples, History) else History(samples)
        self._now = now

    def value(self) -> Value:
        """The expression's value.

        Raises:
            QueryError: it is not understood.
        """
        value = self._sets()
        if self._peek().kind != "end":
            raise _unexpected(self._peek())
        return value

    def _sets(self) -> Value:
        left = self._comparison()
        while self._peek().kind == "name" and self._peek().text in ("or", "and", "unless"):
            word = self._take()
            right = self._comparison()
            if isinstance(left, float) or isinstance(right, float):
                raise QueryError(f"1:{word.at + 1}: parse error: set operator {word.text!r} not allowed in scalars")
            left = _joined(left, word.text, right)
        return left

    def _comparison(self) -> Value:
        left = self._sum()
        while self._peek().text in _COMPARE and self._peek().kind == "op":
            left = _filtered(left, self._take().text, self._sum())
        return left

    def _sum(self) -> Value:
        left = self._product()
        while self._peek().text in ("+", "-") and self._peek().kind == "op":
            left = _arithmetic(left, self._take().text, self._product())
        return left

    def _product(self) -> Value:
        left = self._primary()
        while self._peek().text in ("*", "/") and self._peek().kind == "op":
            left = _arithmetic(left, self._take().text, self._primary())
        return left

    def _primary(self) -> Value:
        token = self._take()
        if token.kind == "number":
            return float(token.text)
        if token.text == "-":
            return _arithmetic(0.0, "-", self._primary())
        if token.text == "(":
            value = self._sets()
            self._expect(")")
            return value
        if token.kind == "name" and token.text in _AGGREGATES:
            return self._aggregate(_AGGREGATES[token.text])
        if token.kind == "name" and token.text == "histogram_quantile":
            return self._quantile()
        if token.kind == "name" and self._peek().text == "(":
            return self._function(token)
        if token.kind == "name" or token.text == "{":
            return self._instant(token)
        raise _unexpected(token)

    def _function(self, name: Token) -> Vector:
        if name.text not in ("rate", "irate", "increase"):
            raise QueryError(f'1:{name.at + 1}: parse error: unknown function with name "{name.text}"')
        self._expect("(")
        wanted, matchers = self._selector(self._take())
        if self._peek().text != "[":
            raise QueryError(
                f'1:{name.at + 1}: parse error: expected type range vector in call to function "{name.text}", '
                "got instant vector"
            )
        self._expect("[")
        seconds = self._duration()
        self._expect("]")
        self._expect(")")
        points = self._points(wanted, matchers, seconds=seconds)
        if name.text == "irate":
            points = {labels: found[-2:] for labels, found in points.items()}
            return {labels: _slope(found) for labels, found in points.items() if len(found) > 1}
        increases = {labels: increase(found, now=self._now, seconds=seconds) for labels, found in points.items()}
        per = seconds if name.text == "rate" else 1.0
        return {labels: value / per for labels, value in increases.items() if value is not None}

    def _instant(self, first: Token) -> Vector:
        wanted, matchers = self._selector(first)
        if self._peek().text == "[":
            raise QueryError('invalid expression type "range vector" for range query, must be Scalar or instant Vector')
        points = self._points(wanted, matchers, seconds=LOOKBACK_S)
        latest = self._history.latest(self._now)
        fresh = {labels: found for labels, found in points.items() if found[-1].at >= latest}  # the others are stale
        return {_named(labels, wanted): found[-1].value for labels, found in fresh.items()}

    def _aggregate(self, combine: Callable[[list[float]], float]) -> Vector:
        keep = self._grouping()
        self._expect("(")
        inner = self._sets()
        self._expect(")")
        keep = keep or self._grouping() or (lambda _label: False)
        if isinstance(inner, float):
            raise QueryError("1:1: parse error: expected type instant vector in aggregation expression, got scalar")
        groups: dict[Labels, list[float]] = {}
        for labels, value in inner.items():
            groups.setdefault(tuple(label for label in labels if keep(label[0])), []).append(value)
        return {labels: combine(values) for labels, values in groups.items()}

    def _quantile(self) -> Vector:
        self._expect("(")
        wanted = self._sets()
        self._expect(",")
        buckets = self._sets()
        self._expect(")")
        if not isinstance(wanted, float) or isinstance(buckets, float):
            raise QueryError("1:1: parse error: histogram_quantile wants a scalar and an instant vector")
        groups: dict[Labels, list[tuple[float, float]]] = {}
        for labels, count in buckets.items():
            bound = dict(labels).get("le")
            if bound is not None:
                rest = tuple(label for label in _unnamed(labels) if label[0] != "le")
                groups.setdefault(rest, []).append((float(bound), count))
        return {labels: quantile(wanted, sorted(found)) for labels, found in groups.items()}

    def _grouping(self) -> Callable[[str], bool] | None:
        if self._peek().text not in ("by", "without"):
            return None
        without = self._take().text == "without"
        self._expect("(")
        names: set[str] = set()
        while self._peek().kind == "name":
            names.add(self._take().text)
            if self._peek().text == ",":
                self._take()
        self._expect(")")
        return lambda label: label != "__name__" and (label in names) is not without

    def _selector(self, first: Token) -> tuple[str, list[Matcher]]:
        if first.kind != "name" and first.text != "{":
            raise _unexpected(first)
        matchers: list[Matcher] = []
        name = first.text if first.kind == "name" else ""
        if first.kind == "name" and self._peek().text != "{":
            return name, matchers
        if first.kind == "name":
            self._expect("{")
        while self._peek().text != "}":
            matchers.append(self._matcher())
            if self._peek().text == ",":
                self._take()
        self._expect("}")
        return name, matchers

    def _matcher(self) -> Matcher:
        label, operator, value = self._take(), self._take(), self._take()
        if label.kind != "name" or operator.text not in _MATCH or value.kind != "string":
            raise QueryError(f'1:{label.at + 1}: parse error: unexpected "{label.text}" in label matching')
        text = re.sub(r"\\(.)", r"\1", value.text[1:-1])
        try:
            re.compile(text)
        except re.error as exc:
            raise QueryError(f"1:{value.at + 1}: parse error: error parsing regexp: {exc}") from exc
        return Matcher(label.text, operator.text, text)

    def _duration(self) -> float:
        token = self._take()
        if token.kind != "duration":
            raise QueryError(f'1:{token.at + 1}: parse error: unexpected "{token.text}" in range, expected duration')
        parts = re.findall(r"(\d+)(ms|[smhdwy])", token.text)
        return sum(int(count) * _UNITS[unit] for count, unit in parts)

    def _points(self, name: str, matchers: list[Matcher], *, seconds: float) -> dict[Labels, list[Point]]:
        found: dict[Labels, list[Point]] = {}
        for key, points in self._history.series.items():
            if name not in ("", key.name):
                continue
            labels = dict(key.labels, __name__=key.name)
            if all(_matches(labels, matcher) for matcher in matchers):
                first = bisect_left(points, (self._now - seconds,))
                inside = points[first : bisect_right(points, (self._now, float("inf")))]
                if inside:
                    found[key.labels] = inside
        return found

    def _peek(self) -> Token:
        return self._tokens[self._next]

    def _take(self) -> Token:
        token = self._tokens[self._next]
        if token.kind != "end":
            self._next += 1
        return token

    def _expect(self, text: str) -> None:
        if self._peek().text != text:
            raise _unexpected(self._peek())
        self._take()


def over_time(
    text: str, samples: Sequence[Sample], *, start: float, end: float, step: float
) -> dict[Labels, list[Point]]:
    """The expression's value every `step` seconds from `start` to `end`, inclusive, by series; a number has no labels.

    Raises:
        QueryError: it is not understood, or asks for more than `MOST_POINTS`.
    """
    if not step > 0 or not end >= start:
        raise QueryError("zero or negative query resolution step widths or ranges are not accepted")
    if (end - start) / step > MOST_POINTS:
        raise QueryError(f"exceeded maximum resolution of {MOST_POINTS} points per timeseries")
    found: dict[Labels, list[Point]] = {}
    history = History(samples)
    for number in range(int((end - start) / step) + 1):
        at = start + number * step
        value = Query(text, history, now=at).value()
        for labels, one in (value if isinstance(value, dict) else {(): value}).items():
            found.setdefault(labels, []).append(Point(at, one))
    return found


_AGGREGATES: dict[str, Callable[[list[float]], float]] = {
    "sum": sum,
    "min": min,
    "max": max,
    "avg": lambda values: sum(values) / len(values),
    "count": lambda values: float(len(values)),
}


def quantile(wanted: float, buckets: Sequence[tuple[float, float]]) -> float:
    """The value below which that share of a histogram lies; `buckets` are (upper bound, count up to it), in order.

    Source: prometheus/promql/quantile.go, bucketQuantile: even within a bucket, the highest finite bound beyond it.
    """
    if len(buckets) < 2 or buckets[-1][0] != float("inf") or buckets[-1][1] == 0:
        return float("nan")
    rank = wanted * buckets[-1][1]
    at = next(number for number, (_, count) in enumerate(buckets) if count >= rank)
    if at == len(buckets) - 1:
        return buckets[-2][0]
    low, below = buckets[at - 1] if at else (0.0, 0.0)
    high, upto = buckets[at]
    return low + (high - low) * ((rank - below) / (upto - below) if upto > below else 1.0)


def _slope(points: Sequence[Point]) -> float:
    grown = points[1].value - points[0].value
    return (grown if grown >= 0 else points[1].value) / max(points[1].at - points[0].at, 1e-9)


def _joined(left: Vector, word: str, right: Vector) -> Vector:
    mine, theirs = {_unnamed(labels) for labels in left}, {_unnamed(labels) for labels in right}
    if word == "or":
        return left | {labels: value for labels, value in right.items() if _unnamed(labels) not in mine}
    return {labels: value for labels, value in left.items() if (_unnamed(labels) in theirs) is (word == "and")}


def _unexpected(token: Token) -> QueryError:
    what = "end of input" if token.kind == "end" else f'"{token.text}"'
    return QueryError(f"1:{token.at + 1}: parse error: unexpected {what}")


def increase(points: Sequence[Point], *, now: float, seconds: float) -> float | None:
    """How much a counter grew in the last `seconds`, extrapolated as Prometheus does; None from fewer than two points.

    Source: prometheus/promql/functions.go, extrapolatedRate: up to half an interval beyond the first and the last
    sample, to the window's edge if they are near it, and never below where the counter would have been zero.
    """
    if len(points) < 2:
        return None
    resets = sum(before.value for before, after in pairwise(points) if after.value < before.value)
    grown = points[-1].value - points[0].value + resets
    sampled = points[-1].at - points[0].at
    interval = sampled / (len(points) - 1)
    to_start, to_end = points[0].at - (now - seconds), now - points[-1].at
    if grown > 0 and points[0].value >= 0:
        to_start = min(to_start, sampled * points[0].value / grown)
    covered = sampled + sum(edge if edge < interval * 1.1 else interval / 2 for edge in (to_start, to_end))
    return grown * covered / sampled


def _tokens(text: str) -> list[Token]:
    tokens: list[Token] = []
    at, end = 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise QueryError(f"1:{at + 1}: parse error: unexpected character: {text[at]!r}")
        tokens.append(Token(match.lastgroup, match[match.lastgroup], match.start(match.lastgroup)))
        at = match.end()
    if not tokens:
        raise QueryError("unknown position: parse error: no expression found in input")
    return [*tokens, Token("end", "", end)]


def _matches(labels: dict[str, str], matcher: Matcher) -> bool:
    return _MATCH[matcher.operator](labels.get(matcher.label, ""), matcher.value)


def _named(labels: Labels, name: str) -> Labels:
    return (("__name__", name), *labels) if name else labels


def _unnamed(labels: Labels) -> Labels:
    return tuple(label for label in labels if label[0] != "__name__")


def _filtered(left: Value, operator: str, right: Value) -> Vector:
    keep = _COMPARE[operator]
    if isinstance(left, float):
        raise QueryError("1:1: parse error: comparisons between scalars must use BOOL modifier")
    if isinstance(right, float):
        return {labels: value for labels, value in left.items() if keep(value, right)}
    others = {_unnamed(labels): value for labels, value in right.items()}
    return {
        labels: value
        for labels, value in left.items()
        if _unnamed(labels) in others and keep(value, others[_unnamed(labels)])
    }


def _arithmetic(left: Value, operator: str, right: Value) -> Value:
    if isinstance(left, float) and isinstance(right, float):
        return _calculate(left, operator, right)
    if isinstance(left, float):
        assert isinstance(right, dict)
        return {_unnamed(labels): _calculate(left, operator, value) for labels, value in right.items()}
    if isinstance(right, float):
        return {_unnamed(labels): _calculate(value, operator, right) for labels, value in left.items()}
    others = {_unnamed(labels): value for labels, value in right.items()}
    pairs = ((_unnamed(labels), value) for labels, value in left.items())
    return {labels: _calculate(value, operator, others[labels]) for labels, value in pairs if labels in others}


def _calculate(left: float, operator: str, right: float) -> float:
    if operator == "+":
        return left + right
    if operator == "-":
        return left - right
    if operator == "*":
        return left * right
    if right == 0:
        return float("nan") if left == 0 or left != left else float("inf") * (1 if left > 0 else -1)
    return left / right
