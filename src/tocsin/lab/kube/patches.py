"""The three kinds of patch that kubectl sends: JSON patch, merge patch, strategic merge patch. Pure."""

import copy
from collections.abc import Sequence
from typing import Any

from tocsin.lab.kube.failures import ApiError, bad_request
from tocsin.lab.kube.objects import Object

MERGE_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "env": "name",
    "volumes": "name",
    "volumeMounts": "mountPath",
    "ports": "containerPort",
    "conditions": "type",
    "taints": "key",
    "tolerations": "key",
    "imagePullSecrets": "name",
    "ownerReferences": "uid",
}
"""Lists that a strategic merge joins by a key (k8s.io/api, `patchMergeKey`); every other list is replaced.

A Service's ports join by `port`; nothing here patches them.
"""


def apply(content_type: str, body: Any, target: Object) -> Object:
    """The object after the patch; the given one stays as it was.

    Raises:
        ApiError: the kind of patch is unknown, or it does not fit the object.
    """
    kind = content_type.partition(";")[0].strip()
    if kind == "application/json-patch+json":
        return json_patch(body, target)
    if not isinstance(body, dict):
        raise bad_request("the patch must be an object")
    if kind == "application/merge-patch+json":
        return merge(body, target)
    if kind == "application/strategic-merge-patch+json":
        return strategic(body, target)
    raise ApiError(415, "UnsupportedMediaType", f"the body of the request was in an unknown format: {kind}")


def merge(patch: Object, target: Object) -> Object:
    """RFC 7396."""
    merged = dict(target)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            known = merged.get(key)
            merged[key] = merge(value, known if isinstance(known, dict) else {})
        else:
            merged[key] = copy.deepcopy(value)
    return merged


def strategic(patch: Object, target: Object) -> Object:
    """Kubernetes' own: as RFC 7396, but lists of named things are joined by their names."""
    if patch.get("$patch") == "replace":
        return {key: copy.deepcopy(value) for key, value in patch.items() if key != "$patch"}
    merged = dict(target)
    for key, value in patch.items():
        if key.startswith(("$setElementOrder/", "$retainKeys", "$patch")):
            continue
        if key.startswith("$deleteFromPrimitiveList/"):
            plain = key.partition("/")[2]
            merged[plain] = [each for each in merged.get(plain) or [] if each not in value]
        elif value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            known = merged.get(key)
            merged[key] = strategic(value, known if isinstance(known, dict) else {})
        elif isinstance(value, list) and key in MERGE_KEYS and all(isinstance(each, dict) for each in value):
            merged[key] = _join(value, merged.get(key) or [], MERGE_KEYS[key])
        else:
            merged[key] = copy.deepcopy(value)
    return merged


def _join(patch: Sequence[Object], target: Sequence[Object], key: str) -> list[Object]:
    if any(each.get("$patch") == "replace" and len(each) == 1 for each in patch):
        return [copy.deepcopy(each) for each in patch if "$patch" not in each]
    joined = list(target)
    for each in patch:
        at = next((n for n, known in enumerate(joined) if known.get(key) == each.get(key)), None)
        if each.get("$patch") == "delete":
            joined = [known for known in joined if known.get(key) != each.get(key)]
        elif at is None:
            joined.append(strategic(each, {}))
        else:
            joined[at] = strategic(each, joined[at])
    return joined


def json_patch(operations: Any, target: Object) -> Object:
    """RFC 6902.

    Raises:
        ApiError: a path is not there, or a `test` fails.
    """
    if not isinstance(operations, list):
        raise bad_request("a JSON patch is a list")
    document: Any = copy.deepcopy(target)
    for operation in operations:
        document = _operate(document, operation)
    found: Object = document
    return found


def _operate(document: Any, operation: Object) -> Any:
    path = _split(operation["path"])
    verb = operation["op"]
    if verb == "test":
        if _at(document, path) != operation.get("value"):
            raise ApiError(422, "Invalid", f"the server rejected our request due to an error in our request: {path}")
        return document
    if verb in ("move", "copy"):
        source = _split(operation["from"])
        value = copy.deepcopy(_at(document, source))
        if verb == "move":
            document = _put(document, source, None, verb="remove")
        return _put(document, path, value, verb="add")
    return _put(document, path, copy.deepcopy(operation.get("value")), verb=verb)


def _split(pointer: str) -> list[str]:
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]


def _at(document: Any, path: Sequence[str]) -> Any:
    for part in path:
        try:
            document = document[int(part)] if isinstance(document, list) else document[part]
        except (KeyError, IndexError, ValueError, TypeError):
            raise ApiError(422, "Invalid", f"the path /{'/'.join(path)} does not exist") from None
    return document


def _put(document: Any, path: Sequence[str], value: Any, *, verb: str) -> Any:
    if not path:
        return value
    parent, last = _at(document, path[:-1]), path[-1]
    if isinstance(parent, list):
        at = len(parent) if last == "-" else int(last)
        if verb == "add":
            parent.insert(at, value)
        elif verb == "remove":
            del parent[at]
        else:
            parent[at] = value
    elif verb == "remove":
        _at(parent, [last])
        del parent[last]
    else:
        if verb == "replace":
            _at(parent, [last])
        parent[last] = value
    return document
