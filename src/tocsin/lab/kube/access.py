"""Who asks, and what may they do; and the one body that kubectl sends in protobuf whatever one asks for. Pure."""

from typing import NamedTuple

from tocsin.lab.kube.failures import bad_request, forbidden, unauthorized
from tocsin.lab.kube.objects import Object
from tocsin.lab.kube.resources import Resource

READ = frozenset({"get", "list", "watch"})


class User(NamedTuple):
    """Somebody with a credential, and the verbs that a role of the whole cluster gives; `*` for all of them."""

    name: str
    verbs: frozenset[str]

    def may(self, verb: str, resource: str) -> bool:
        """Whether the verb is allowed on a resource; who may only read does not read secrets."""
        if "*" in self.verbs:
            return True
        return verb in self.verbs and resource != "secrets"


ADMIN = User("practice", frozenset({"*"}))
USERS = {each.name: each for each in (ADMIN, User("viewer", READ), User("stranger", frozenset()))}
"""Known to everybody: this cluster listens on loopback and guards nothing.

client-go sends no credential over plain HTTP, so a user is told by the path that the address of the server ends with:
`/as/viewer`. An address without one is the owner's.
"""


def user_of(name: str) -> User:
    """Whoever the path names; the owner, when it names nobody.

    Raises:
        ApiError: nobody is called that.
    """
    if not name:
        return ADMIN
    if name not in USERS:
        raise unauthorized()
    return USERS[name]


def demand(user: User, verb: str, resource: Resource, *, sub: str = "", name: str = "", namespace: str = "") -> None:
    """Refuse what the user may not do.

    Raises:
        ApiError: Forbidden.
    """
    if resource.plural == "selfsubjectaccessreviews":
        return
    plural = f"{resource.plural}/{sub}" if sub else resource.plural
    if not user.may(verb, plural):
        where = namespace if resource.namespaced else ""
        raise forbidden(user.name, verb, resource.full, name=name, namespace=where, sub=sub)


def review(user: User, asked: Object) -> Object:
    """The answer to `kubectl auth can-i`: a SelfSubjectAccessReview with its status."""
    spec = asked.get("spec", {})
    wish = spec.get("resourceAttributes") or spec.get("nonResourceAttributes") or {}
    plural = "/".join(filter(None, [wish.get("resource", ""), wish.get("subresource", "")]))
    allowed = user.may(wish.get("verb", ""), plural)
    status: Object = {"allowed": allowed} | ({"reason": "RBAC: allowed"} if allowed else {})
    kind = "SelfSubjectAccessReview"
    return {"apiVersion": "authorization.k8s.io/v1", "kind": kind, "metadata": {}, "spec": spec, "status": status}


_FIELDS = {1: "namespace", 2: "verb", 3: "group", 4: "version", 5: "resource", 6: "subresource", 7: "name"}
_PATH_FIELDS = {1: "path", 2: "verb"}


def review_from_protobuf(body: bytes) -> Object:
    """The SelfSubjectAccessReview in a body of `application/vnd.kubernetes.protobuf`.

    Magic `k8s\\0`, then `runtime.Unknown` whose field 2 is the object; its field 2 is the spec
    (k8s.io/api/authorization/v1/generated.proto).

    Raises:
        ApiError: it is none.
    """
    try:
        if not body.startswith(b"k8s\0"):
            raise ValueError("no magic")
        spec = dict(_fields(dict(_fields(dict(_fields(body[4:]))[2]))[2]))
        wish: Object = {}
        for number, key, names in ((1, "resourceAttributes", _FIELDS), (2, "nonResourceAttributes", _PATH_FIELDS)):
            if number in spec:
                wish[key] = {names[n]: value.decode() for n, value in _fields(spec[number]) if n in names and value}
    except (ValueError, KeyError, IndexError) as exc:
        raise bad_request(f"the body is no SelfSubjectAccessReview: {exc}") from exc
    return {"spec": wish}


def _fields(message: bytes) -> list[tuple[int, bytes]]:
    """A message's length-delimited fields, in order; numbers are passed over."""
    found, at = [], 0
    while at < len(message):
        key, at = _varint(message, at)
        if key & 7 == 2:
            size, at = _varint(message, at)
            if at + size > len(message):
                raise ValueError("cut short")
            found.append((key >> 3, message[at : at + size]))
            at += size
        elif key & 7 == 0:
            _, at = _varint(message, at)
        else:
            raise ValueError(f"wire type {key & 7}")
    return found


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
