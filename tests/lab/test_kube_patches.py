"""The three kinds of patch, as kubectl sends them; and what a selector of fields and a body in protobuf mean."""

import contextlib
import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.lab.kube import access, patches
from tocsin.lab.kube.failures import ApiError
from tocsin.lab.kube.selectors import fields_match

DEPLOYMENT: dict[str, Any] = {
    "metadata": {"name": "backend", "annotations": {"a": "1"}},
    "spec": {
        "replicas": 2,
        "template": {"spec": {"containers": [{"name": "backend", "image": "x:v1"}, {"name": "proxy", "image": "p:1"}]}},
    },
}
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab", max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1, max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text("abc", min_size=1, max_size=2), JSON_VALUES, max_size=4)


def containers(patch: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The containers after a strategic merge patch of them."""
    wish = {"spec": {"template": {"spec": {"containers": patch}}}}
    found: list[dict[str, Any]] = patches.strategic(wish, DEPLOYMENT)["spec"]["template"]["spec"]["containers"]
    return found


def test_a_strategic_merge_joins_containers_by_their_names() -> None:
    assert containers([{"name": "backend", "image": "x:v2"}]) == [
        {"name": "backend", "image": "x:v2"},
        {"name": "proxy", "image": "p:1"},
    ]


def test_a_strategic_merge_can_delete_and_replace_what_it_joins() -> None:
    assert containers([{"name": "proxy", "$patch": "delete"}]) == [{"name": "backend", "image": "x:v1"}]
    assert containers([{"name": "new"}, {"$patch": "replace"}]) == [{"name": "new"}]


def test_a_merge_patch_replaces_lists_and_removes_what_is_null() -> None:
    after = patches.merge(
        {"metadata": {"annotations": {"a": None, "b": "2"}}, "list": [1]}, {**DEPLOYMENT, "list": [2, 3]}
    )
    assert after["metadata"]["annotations"] == {"b": "2"}
    assert after["list"] == [1]


def test_a_json_patch_does_its_operations_in_order() -> None:
    operations = [
        {"op": "test", "path": "/spec/replicas", "value": 2},
        {"op": "replace", "path": "/spec/replicas", "value": 3},
        {"op": "add", "path": "/metadata/annotations/with~1slash", "value": "x"},
        {"op": "remove", "path": "/metadata/annotations/a"},
        {"op": "add", "path": "/spec/template/spec/containers/-", "value": {"name": "last"}},
    ]
    after = patches.json_patch(operations, DEPLOYMENT)
    assert (after["spec"]["replicas"], after["metadata"]["annotations"]) == (3, {"with/slash": "x"})
    assert [each["name"] for each in after["spec"]["template"]["spec"]["containers"]] == ["backend", "proxy", "last"]


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/spec/replicas", "value": 9},
        {"op": "replace", "path": "/spec/nothing", "value": 1},
        {"op": "remove", "path": "/spec/nothing"},
    ],
)
def test_a_json_patch_that_does_not_fit_is_refused(operation: dict[str, Any]) -> None:
    with pytest.raises(ApiError):
        patches.json_patch([operation], DEPLOYMENT)


def test_a_patch_of_another_kind_is_refused() -> None:
    with pytest.raises(ApiError) as refused:
        patches.apply("application/apply-patch+yaml", {}, DEPLOYMENT)
    assert refused.value.code == 415


@settings(max_examples=60, deadline=None)
@given(OBJECTS, OBJECTS)
def test_patches_leave_what_they_are_given_as_it_was(patch: dict[str, Any], target: dict[str, Any]) -> None:
    before = copy.deepcopy((patch, target))
    for once in (patches.merge(patch, target), patches.strategic(patch, target)):
        assert (patch, target) == before
        assert patches.merge(patch, once) == patches.merge(patch, patches.merge(patch, once))


@pytest.mark.parametrize(
    ("selector", "met"),
    [
        ("metadata.name=backend", True),
        ("metadata.name!=backend", False),
        ("spec.replicas=2,metadata.name==backend", True),
        ("spec.replicas=3", False),
        ("spec.nowhere=", True),
    ],
)
def test_fields_are_selected_by_their_paths(selector: str, met: bool) -> None:
    assert fields_match(DEPLOYMENT, selector) is met


def field(number: int, body: bytes) -> bytes:
    """A length-delimited field of protobuf."""
    return bytes([number << 3 | 2, len(body)]) + body


def test_a_review_is_read_from_protobuf() -> None:
    wish = field(1, b"production") + field(2, b"delete") + field(5, b"pods")
    review = field(2, field(1, wish))
    body = b"k8s\0" + field(1, field(1, b"authorization.k8s.io/v1")) + field(2, review)
    spec = access.review_from_protobuf(body)["spec"]
    assert spec == {"resourceAttributes": {"namespace": "production", "verb": "delete", "resource": "pods"}}


@given(st.binary(max_size=40))
def test_any_other_body_is_refused_or_read(body: bytes) -> None:
    with contextlib.suppress(ApiError):
        assert "spec" in access.review_from_protobuf(b"k8s\0" + body)
