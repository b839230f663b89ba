"""Stack traces in lines: whole, named by their stack alone, whatever is written around them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.signals.traces import Assembler, Trace

PYTHON = """\
2026-11-23 08:00:00 ERROR request failed
Traceback (most recent call last):
  File "/app/shop/cart.py", line {line}, in total
    return price(item)
           ^^^^^^^^^^^
  File "/app/shop/price.py", line 7, in price
    raise ValueError("no price for %s" % item)
ValueError: no price for {what}
INFO next
"""
CHAINED = """\
Traceback (most recent call last):
  File "/app/a.py", line {line}, in get
    return found[key]
KeyError: '{what}'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/app/b.py", line 12, in answer
    raise Bad(key)
shop.errors.Bad: {what}
"""
GROUPED = """\
  + Exception Group Traceback (most recent call last):
  |   File "/app/t.py", line {line}, in run
  |     raise ExceptionGroup("x", found)
  | ExceptionGroup: {what} (1 sub-exception)
  +-+---------------- 1 ----------------
    | ValueError: 1
    +------------------------------------
done
"""
JAVA = """\
2026-11-23 ERROR 1 --- [exec-1] c.e.Cart : Servlet.service() failed
java.lang.IllegalStateException: order {what} is bad
\tat com.example.Cart.total(Cart.java:{line})
\tat com.example.Cart$$Lambda$14/0x0000000800066840.run(Unknown Source)
\tat java.base/java.lang.Thread.run(Thread.java:833)
Caused by: java.io.IOException: disk
\tat com.example.Disk.read(Disk.java:7)
\t... 3 more
INFO next
"""
NODE = """\
TypeError: Cannot read properties of undefined (reading '{what}')
    at Cart.total (/app/cart.js:{line}:5)
    at async handler (file:///app/server.mjs:3:1)
    at /app/server.js:5:3
    at node:internal/main/run_main_module:28:49
listening
"""
GO = """\
2026/11/23 http: panic serving 127.0.0.1:5: {what}
goroutine {line} [running]:
net/http.(*conn).serve.func1()
\t/usr/local/go/src/net/http/server.go:1898 +0xbe
panic({{0x6b1a20?, 0xc000012345?}})
\t/usr/local/go/src/runtime/panic.go:770 +0x132
main.(*Cart).Total(0xc0000b6000, {{0x7f, 0x1}})
\t/app/cart.go:{line} +0x1d
created by net/http.(*Server).Serve in goroutine 1
\t/usr/local/go/src/net/http/server.go:3285 +0x4b4

goroutine 7 [select]:
main.other()
\t/app/other.go:1 +0x1
exit status 2
"""
WRITTEN = {
    "python": (PYTHON, "ValueError", "price (/app/shop/price.py)"),
    "chained": (CHAINED, "shop.errors.Bad", "answer (/app/b.py)"),
    "grouped": (GROUPED, "ExceptionGroup", "run (/app/t.py)"),
    "java": (JAVA, "java.lang.IllegalStateException", "com.example.Cart.total (Cart.java)"),
    "node": (NODE, "TypeError", "Cart.total (/app/cart.js)"),
    "go": (GO, "panic", "net/http.(*conn).serve.func1 (/usr/local/go/src/net/http/server.go)"),
}
every = pytest.mark.parametrize("name", WRITTEN)


def written(name: str, *, line: int = 10, what: str = "apple") -> str:
    return WRITTEN[name][0].format(line=line, what=what)


def traces(text: str) -> list[Trace]:
    assembler = Assembler()
    found = [trace for line in text.splitlines() for trace in assembler.feed(line)]
    return found + assembler.end()


@every
def test_a_trace_is_one_with_its_kind_and_the_place_that_raised_it(name: str) -> None:
    (trace,) = traces(written(name))
    assert (trace.kind, trace.where) == WRITTEN[name][1:]


@every
def test_message_and_line_numbers_make_no_other_stack(name: str) -> None:
    (one,), (other,) = traces(written(name)), traces(written(name, line=99, what="pear 4711"))
    assert one.fingerprint == other.fingerprint
    assert one.message != other.message


@every
def test_another_function_is_another_stack(name: str) -> None:
    changed = written(name)
    for function in ("total", "Total", "get", "run"):
        changed = changed.replace(f"in {function}\n", "in elsewhere\n").replace(f".{function}(", ".elsewhere(")
    (one,), (other,) = traces(written(name)), traces(changed.replace("Cart.total (", "Cart.elsewhere ("))
    assert one.fingerprint != other.fingerprint


def test_what_is_around_a_trace_is_no_part_of_it() -> None:
    first, second = traces(written("python") + "WARN nothing\n" + written("java"))
    assert (first.language, second.language) == ("python", "java")
    assert first.text.splitlines()[-1] == "ValueError: no price for apple"
    assert "INFO next" not in second.text


def test_the_depth_of_a_recursion_does_not_count() -> None:
    frame = '  File "/app/a.py", line 3, in f\n    f(n)\n'
    deep = "Traceback (most recent call last):\n{}RecursionError: too deep\n"
    assert traces(deep.format(frame * 5))[0].fingerprint == traces(deep.format(frame * 400))[0].fingerprint


def test_a_trace_in_the_field_of_a_json_line_is_found() -> None:
    line = json.dumps({"level": "error", "log": {"exception": written("java")}})
    (packed,), (plain,) = traces(line), traces(written("java"))
    assert packed.fingerprint == plain.fingerprint


def test_a_stamp_before_each_line_does_not_matter() -> None:
    stamped = "".join(f"2026-11-23T08:00:00.123456789Z {line}\n" for line in written("java").splitlines())
    (one,), (other,) = traces(stamped), traces(written("java"))
    assert one.frames == other.frames


def test_a_go_fault_of_the_runtime_is_its_kind() -> None:
    fault = "panic: runtime error: index out of range [5] with length 3\n\ngoroutine 1 [running]:\n"
    (trace,) = traces(fault + "main.main()\n\t/app/m.go:5 +0x20\n")
    assert (trace.kind, trace.frames) == ("runtime error: index out of range", ("main.main (/app/m.go)",))


@pytest.mark.parametrize(
    "line", ["{" * 9000, '{"a": "' + "x\\n" * 2000 + '"}', "    at " + "a" * 8000, "goroutine 1 [x]:"]
)
def test_odd_lines_are_no_traces(line: str) -> None:
    assert traces(line) == []


PIECES = st.sampled_from([line for text, *_ in WRITTEN.values() for line in text.splitlines()]) | st.text(max_size=30)


@settings(max_examples=80, deadline=None)
@given(lines=st.lists(PIECES, max_size=40))
def test_no_lines_whatever_do_harm(lines: list[str]) -> None:
    for trace in traces("\n".join(lines)):
        assert trace.frames
        assert trace.kind
