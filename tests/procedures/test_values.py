import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.procedures.errors import RefusedError
from tocsin.procedures.values import check_value, environment_of, substitute, variable
from tocsin.runbook.model import Placeholder
from tocsin.runbook.shell import read_command

POD = Placeholder("pod-name", "pod")
ATTACKS = [
    "a; rm -rf /",
    "$(touch x)",
    "`touch x`",
    "a\nb",
    "--kubeconfig=/etc/x",
    "-o/etc/x",
    "a\x00b",
    "a\u202eb",
    "a" * 10_000,
    "a b'c",
    'a"b',
    "a|b",
    "a>b",
    "a\\b",
    "${HOME}",
    "",
    "a\u200bb",
]
KINDS = ["pod", "deployment", "namespace", "node", "name", "number", "host", "text"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", ATTACKS)
def test_an_attack_is_refused_for_every_kind(kind: str, value: str) -> None:
    assert check_value(Placeholder("x", kind), value)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("pod", "backend-7d9f8c-x2x4z"),
        ("pod", "a" * 253),
        ("namespace", "a" * 63),
        ("number", "5"),
        ("node", "ip-10-0-0-1.ec2"),
        ("host", "db.example.com"),
        ("host", "10.0.0.1:8080"),
        ("name", "My_Job.v1"),
        ("text", "timeout while reading"),
    ],
)
def test_an_ordinary_value_is_taken(kind: str, value: str) -> None:
    assert check_value(Placeholder("x", kind), value) is None


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("pod", "a" * 254),
        ("namespace", "a" * 64),
        ("namespace", "a.b"),
        ("pod", "Backend"),
        ("pod", "a-"),
        ("number", "5.5"),
        ("number", "-1"),
        ("host", "a b"),
        ("text", "a" * 1001),
    ],
)
def test_a_value_just_outside_its_kind_is_refused(kind: str, value: str) -> None:
    assert check_value(Placeholder("x", kind), value)


def test_a_refused_place_takes_no_value_at_all() -> None:
    assert "second" in (check_value(Placeholder("x", "pod", "a second shell reads it"), "a") or "")


@pytest.mark.parametrize(
    ("command", "wanted"),
    [
        ("kubectl logs <pod-name> -n a", 'kubectl logs "${TOCSIN_VALUE_POD_NAME}" -n a'),
        ('echo "pod <pod-name> is"', 'echo "pod ${TOCSIN_VALUE_POD_NAME} is"'),
        ("echo 'pod <pod-name> is'", "echo 'pod '\"${TOCSIN_VALUE_POD_NAME}\"' is'"),
        ("kubectl logs pod/<pod-name>", 'kubectl logs pod/"${TOCSIN_VALUE_POD_NAME}"'),
        ("X=<pod-name> # of <pod-name>", 'X="${TOCSIN_VALUE_POD_NAME}" # of <pod-name>'),
    ],
)
def test_a_placeholder_becomes_a_quoted_reference(command: str, wanted: str) -> None:
    assert substitute(command, [POD]) == wanted


def test_a_reference_that_cannot_be_safe_is_refused() -> None:
    with pytest.raises(RefusedError, match="program of its own"):
        substitute("sh -c 'kubectl logs <pod-name>'", [POD])
    with pytest.raises(RefusedError, match="announced"):
        substitute("kubectl logs <other>", [POD])
    with pytest.raises(RefusedError, match="punctuation"):
        substitute("echo <a-b> <a_b>", [Placeholder("a-b", "text"), Placeholder("a_b", "text")])


def test_a_bad_value_never_reaches_the_environment() -> None:
    assert environment_of([POD], {"pod-name": "a"}) == {"TOCSIN_VALUE_POD_NAME": "a"}
    with pytest.raises(RefusedError, match="pod-name"):
        environment_of([POD], {"pod-name": "a; b"})
    with pytest.raises(RefusedError, match="needed"):
        environment_of([POD], {})


@given(st.text(min_size=1, max_size=20).filter(lambda v: "\0" not in v), st.sampled_from(["<x>", '"<x>"', "'<x>'"]))
@settings(max_examples=25, deadline=None)
def test_whatever_the_value_bash_sees_it_as_one_word(value: str, quoted: str) -> None:
    command = substitute(f"printf '%s|' {quoted}", read_command("echo <x>", line=1).placeholders)
    carried = {variable("x"): value.encode("utf-8", "replace").decode()}
    said = subprocess.run(["/bin/bash", "-c", command], env=carried, capture_output=True, check=True).stdout
    assert said == carried[variable("x")].encode() + b"|"
