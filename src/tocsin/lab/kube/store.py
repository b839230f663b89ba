"""What the API server remembers: objects by resource, namespace and name, and their latest changes. Thread-safe.

An object that was handed out is never changed again: a change stores a new one. So readers need no copies.
"""

import copy
import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

from tocsin.lab.kube import failures
from tocsin.lab.kube.objects import Object, iso, name_of, uid
from tocsin.lab.kube.resources import Resource

KEPT_CHANGES = 4000
FIRST_VERSION = 1000


class Change(NamedTuple):
    """One change: ADDED, MODIFIED or DELETED, and the object after it (before it, when deleted)."""

    version: int
    kind: str
    resource: str
    object: Object


class Store:
    """The objects of one cluster."""

    def __init__(self, *, kept: int = KEPT_CHANGES) -> None:
        self._lock = threading.RLock()
        self._version = FIRST_VERSION
        self._objects: dict[str, dict[tuple[str, str], Object]] = {}
        self._changes: deque[Change] = deque(maxlen=kept)

    @property
    def version(self) -> int:
        """The version of the latest change."""
        return self._version

    def all(self, resource: Resource, namespace: str = "") -> list[Object]:
        """The objects of a resource, by namespace and name; of all namespaces when none is given."""
        with self._lock:
            found = sorted(self._objects.get(resource.full, {}).items())
        return [each for (where, _), each in found if not namespace or where == namespace]

    def get(self, resource: Resource, namespace: str, name: str) -> Object:
        """One object.

        Raises:
            ApiError: there is none.
        """
        found = self.find(resource, namespace, name)
        if found is None:
            raise failures.not_found(resource.full, name, kind=resource.kind)
        return found

    def find(self, resource: Resource, namespace: str, name: str) -> Object | None:
        """One object, None when there is none."""
        with self._lock:
            return self._objects.get(resource.full, {}).get((namespace if resource.namespaced else "", name))

    def create(self, resource: Resource, each: Object) -> Object:
        """Store a new object; what every object has and this one lacks is filled in.

        Raises:
            ApiError: there is one of that name.
        """
        with self._lock:
            made = copy.deepcopy(each)
            metadata = made["metadata"]
            key = self._key(resource, made)
            if key in self._objects.get(resource.full, {}):
                raise failures.exists(resource.full, name_of(made))
            now = time.time()
            metadata.setdefault("creationTimestamp", iso(now))
            metadata.setdefault("uid", uid(f"{resource.full}/{key}/{self._version}/{now}"))
            if "spec" in made and resource.generated:
                metadata.setdefault("generation", 1)
            made = {"apiVersion": resource.api_version, "kind": resource.kind, **made}
            return self._put(resource, key, made, "ADDED")

    def change(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        edit: Callable[[Object], Object | None] | Callable[[Object], None],
    ) -> Object:
        """Store what `edit` makes of a copy of the object (changed in place, or returned); the same object when
        nothing changed.

        Raises:
            ApiError: there is none.
        """
        with self._lock:
            before = self.get(resource, namespace, name)
            after = copy.deepcopy(before)
            after = edit(after) or after
            if after == before:
                return before
            if resource.generated and after.get("spec") != before.get("spec"):
                after["metadata"]["generation"] = before["metadata"].get("generation", 1) + 1
            return self._put(resource, self._key(resource, before), after, "MODIFIED")

    def delete(self, resource: Resource, namespace: str, name: str) -> Object:
        """Forget an object and give it a last time.

        Raises:
            ApiError: there is none.
        """
        with self._lock:
            found = self.get(resource, namespace, name)
            key = self._key(resource, found)
            del self._objects[resource.full][key]
            self._version += 1
            last = copy.deepcopy(found)
            last["metadata"]["resourceVersion"] = str(self._version)
            self._changes.append(Change(self._version, "DELETED", resource.full, last))
            return last

    def since(self, version: int) -> list[Change]:
        """Changes after `version`, oldest first.

        Raises:
            ApiError: they are forgotten (410 Gone, as a real server says).
        """
        with self._lock:
            if self._changes and version < self._changes[0].version - 1:
                message = f"too old resource version: {version} ({self._changes[0].version})"
                raise failures.ApiError(410, "Expired", message)
            return [each for each in self._changes if each.version > version]

    def every(self) -> Iterator[tuple[str, Object]]:
        """Each object with its resource's full name."""
        with self._lock:
            found = [(full, each) for full, objects in self._objects.items() for each in objects.values()]
        return iter(found)

    def _put(self, resource: Resource, key: tuple[str, str], each: Object, kind: str) -> Object:
        self._version += 1
        each["metadata"]["resourceVersion"] = str(self._version)
        self._objects.setdefault(resource.full, {})[key] = each
        self._changes.append(Change(self._version, kind, resource.full, each))
        return each

    def _key(self, resource: Resource, each: Object) -> tuple[str, str]:
        return (each["metadata"].get("namespace", "default") if resource.namespaced else "", name_of(each))

    def dump(self) -> str:
        """Everything as JSON, for a person who looks into the lab's directory."""
        return json.dumps([each for _, each in self.every()], indent=1)
