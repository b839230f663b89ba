"""The API server: HTTP in front of the store, in the forms that kubectl and kr8s ask for."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, NamedTuple

from starlette.applications import Starlette
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from tocsin.lab.kube import access, failures, logs, patches, resources, tables
from tocsin.lab.kube.exec import Place, play
from tocsin.lab.kube.failures import ApiError
from tocsin.lab.kube.inventory import VERSION
from tocsin.lab.kube.kubelet import Container, Kubelet
from tocsin.lab.kube.objects import Object, deleting, labels_of, name_of
from tocsin.lab.kube.resources import DEPLOYMENTS, NAMESPACES, PODS, Resource
from tocsin.lab.kube.selectors import fields_match, labels_match
from tocsin.lab.kube.store import Store
from tocsin.lab.kube.usage import Usage
from tocsin.lab.kube.workloads import delete_pod

WATCH_EVERY_S = 0.05
FOLLOW_EVERY_S = 0.2
WATCH_AT_MOST_S = 600.0
_DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_PROTOBUF = "application/vnd.kubernetes.protobuf"


class Target(NamedTuple):
    """What a path of the API is about; an empty name is all of them."""

    resource: Resource
    namespace: str
    name: str
    sub: str


class Api:
    """The API of one cluster, as a Starlette application."""

    def __init__(self, store: Store, kubelet: Kubelet, state_dir: Path) -> None:
        self.store = store
        self.kubelet = kubelet
        self.usage = Usage(store, kubelet)
        self.state_dir = state_dir
        every = ["GET", "POST", "PUT", "PATCH", "DELETE"]
        self.app = Starlette(
            routes=[
                WebSocketRoute("/as/{user}/api/v1/namespaces/{namespace}/pods/{name}/exec", self.execute),
                WebSocketRoute("/api/v1/namespaces/{namespace}/pods/{name}/exec", self.execute),
                Route("/as/{user}/{path:path}", self.answer, methods=every),
                Route("/{path:path}", self.answer, methods=every),
            ]
        )

    async def answer(self, request: Request) -> Response:
        """The answer to any request, or the Status of its refusal."""
        try:
            return await self._answer(request)
        except ApiError as exc:
            return JSONResponse(exc.status(), exc.code)

    async def _answer(self, request: Request) -> Response:
        path = "/" + request.path_params["path"].strip("/")
        if path in ("/readyz", "/livez", "/healthz"):
            return PlainTextResponse("ok")
        if path == "/version":
            return JSONResponse(_VERSION)
        user = access.user_of(request.path_params.get("user", ""))
        if path in ("/api", "/apis"):
            return _discovery(request, core=path == "/api")
        target = self._target(path)
        if target is None:
            return self._group(path)
        verb = _verb(request, target)
        access.demand(user, verb, target.resource, sub=target.sub, name=target.name, namespace=target.namespace)
        if target.resource.kind == "SelfSubjectAccessReview":
            return JSONResponse(access.review(user, await _body(request)), 201)
        return await self._act(request, target, verb)

    def _group(self, path: str) -> Response:
        parts = path.strip("/").split("/")
        found = None
        if parts[0] == "api" and len(parts) == 2:
            found = resources.resource_list("", parts[1])
        if parts[0] == "apis" and len(parts) == 3:
            found = resources.resource_list(parts[1], parts[2])
        if parts[0] == "apis" and len(parts) == 2:
            found = next((one for one in resources.groups()["groups"] if one["name"] == parts[1]), None)
            found = found and {"kind": "APIGroup", "apiVersion": "v1", **found}
        if found is None:
            raise failures.no_such_resource()
        return JSONResponse(found)

    def _target(self, path: str) -> Target | None:
        parts = path.strip("/").split("/")
        group, version, rest = ("", parts[1], parts[2:]) if parts[0] == "api" else ("", "", [])
        if parts[0] == "apis" and len(parts) > 3:
            group, version, rest = parts[1], parts[2], parts[3:]
        if not rest:
            return None
        namespace = ""
        if rest[0] == "namespaces" and len(rest) > 2:
            namespace, rest = rest[1], rest[2:]
        resource = resources.find(group, version, rest[0])
        if resource is None:
            raise failures.no_such_resource()
        name, sub = (rest[1] if len(rest) > 1 else ""), (rest[2] if len(rest) > 2 else "")
        if sub and sub not in resource.subresources:
            raise failures.no_such_resource()
        return Target(resource, namespace, name, sub)

    async def _act(self, request: Request, target: Target, verb: str) -> Response:
        if target.sub == "log":
            return self._log(request, target)
        if target.sub == "exec":  # SPDY, which kubectl tries when the WebSocket was refused
            self._place(target)
            raise failures.bad_request("you must use a WebSocket to exec here")
        if verb == "watch":
            return StreamingResponse(self._watch(request, target), media_type="application/json")
        if verb in ("get", "list"):
            return self._read(request, target, verb)
        if verb == "create":
            return self._create(target, await _body(request), dry="dryRun" in request.query_params)
        if verb == "delete":
            return self._delete(target, await _body(request), dry="dryRun" in request.query_params)
        if verb == "deletecollection":
            return self._delete_all(request, target)
        return self._change(request, target, await _body(request))

    def _list(self, target: Target, request: Request) -> list[Object]:
        if target.resource.group == "metrics.k8s.io":
            found = self.usage.pods(target.namespace) if target.resource.plural == "pods" else self.usage.nodes()
        else:
            found = self.store.all(target.resource, target.namespace)
        if target.name:
            found = [each for each in found if name_of(each) == target.name]
        return [each for each in found if _wanted(each, request)]

    def _read(self, request: Request, target: Target, verb: str) -> Response:
        found = self._list(target, request)
        version = str(self.store.version)
        if verb == "get":
            if not found:
                raise failures.not_found(target.resource.full, target.name, kind=target.resource.kind)
            if target.sub == "scale":
                return JSONResponse(scale_of(found[0]))
            if not _as_table(request):
                return JSONResponse(found[0])
        if _as_table(request):
            include = request.query_params.get("includeObject", "Metadata")
            return JSONResponse(tables.table(target.resource, found, include=include, version=version))
        body = {"kind": f"{target.resource.kind}List", "apiVersion": target.resource.api_version}
        return JSONResponse(body | {"metadata": {"resourceVersion": version}, "items": found})

    async def _watch(self, request: Request, target: Target) -> AsyncIterator[bytes]:
        query = request.query_params
        limit = min(float(query.get("timeoutSeconds") or WATCH_AT_MOST_S), WATCH_AT_MOST_S)
        deadline = time.monotonic() + limit
        version, known = self.store.version, {name_of(each) for each in self._list(target, request)}
        asked = query.get("resourceVersion", "")
        if asked in ("", "0"):
            for each in self._list(target, request):
                yield self._event(request, target, "ADDED", each)
        else:
            version = int(asked)
        while time.monotonic() < deadline and not await request.is_disconnected():
            try:
                changes = self.store.since(version)
            except ApiError as exc:
                yield json.dumps({"type": "ERROR", "object": exc.status()}).encode() + b"\n"
                return
            for change in changes:
                version = change.version
                mine = change.resource == target.resource.full
                inside = not target.namespace or change.object["metadata"].get("namespace") == target.namespace
                if mine and inside and (not target.name or name_of(change.object) == target.name):
                    kind = _seen_as(change.kind, name_of(change.object), _wanted(change.object, request), known)
                    if kind:
                        yield self._event(request, target, kind, change.object)
            await asyncio.sleep(WATCH_EVERY_S)

    def _event(self, request: Request, target: Target, kind: str, each: Object) -> bytes:
        shown = each
        if _as_table(request):
            include = request.query_params.get("includeObject", "Metadata")
            version = each["metadata"]["resourceVersion"]
            shown = tables.table(target.resource, [each], include=include, version=version)
        return json.dumps({"type": kind, "object": shown}).encode() + b"\n"

    def _create(self, target: Target, body: Object, *, dry: bool) -> Response:
        if target.sub == "eviction":
            return self._delete(target, {}, dry=dry)
        made = dict(body)
        if not isinstance(made.get("metadata"), dict):
            raise failures.bad_request("metadata is missing")
        if target.resource.namespaced:
            made["metadata"] = {**made["metadata"], "namespace": target.namespace or "default"}
            if self.store.find(NAMESPACES, "", made["metadata"]["namespace"]) is None:
                raise failures.not_found("namespaces", made["metadata"]["namespace"], kind="Namespace")
        if target.resource in (DEPLOYMENTS,):
            made["spec"] = {"replicas": 1, **made["spec"]}
            made.setdefault("status", {})
        if dry:
            return JSONResponse(made, 201)
        return JSONResponse(self.store.create(target.resource, made), 201)

    def _change(self, request: Request, target: Target, body: Any) -> Response:
        content_type = request.headers.get("content-type", "application/json")
        replace = request.method == "PUT"

        def edit(each: Object) -> Object:
            whole = scale_of(each) if target.sub == "scale" else each
            wished = body if replace else patches.apply(content_type, body, whole)
            if target.sub == "scale":
                each["spec"]["replicas"] = _replicas(target, wished)
                return each
            _check(target, wished)
            kept = {"metadata": {**wished["metadata"], **_kept(each["metadata"])}}
            owned = "status" in each and target.resource.subresources and target.sub != "status"
            status = {"status": each["status"]} if owned else {}
            return {**wished, **kept, **status}

        if "dryRun" in request.query_params:
            found = self.store.get(target.resource, target.namespace, target.name)
            after = edit(json.loads(json.dumps(found)))
        else:
            after = self.store.change(target.resource, target.namespace, target.name, edit)
        return JSONResponse(scale_of(after) if target.sub == "scale" else after)

    def _delete(self, target: Target, options: Object, *, dry: bool) -> Response:
        found = self.store.get(target.resource, target.namespace, target.name)
        if dry or "All" in options.get("dryRun", ()):
            return JSONResponse(found)
        if target.resource is PODS and options.get("gracePeriodSeconds") != 0 and not _gone(found):
            return JSONResponse(delete_pod(self.store, found))
        deleted = self.store.delete(target.resource, target.namespace, target.name)
        for resource in (resources.REPLICA_SETS, PODS):
            for each in self.store.all(resource, target.namespace):
                owners = each["metadata"].get("ownerReferences") or []
                if any(one["uid"] == deleted["metadata"]["uid"] for one in owners):
                    self._delete(Target(resource, target.namespace, name_of(each), ""), {}, dry=False)
        details = {"name": target.name, "kind": target.resource.plural, "uid": deleted["metadata"]["uid"]}
        return JSONResponse(
            {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
        )

    def _delete_all(self, request: Request, target: Target) -> Response:
        found = self._list(target, request)
        for each in found:
            self._delete(target._replace(name=name_of(each)), {}, dry=False)
        return JSONResponse({"kind": f"{target.resource.kind}List", "apiVersion": "v1", "metadata": {}, "items": found})

    def _place(self, target: Target) -> Place:
        pod = self.store.get(PODS, target.namespace, target.name)
        container = self.kubelet.containers.get(pod["metadata"]["uid"])
        if container is None or not container.running:
            app = pod["spec"]["containers"][0]["name"]
            message = f'unable to upgrade connection: container not found ("{app}")'
            raise ApiError(500, "InternalError", message)
        return Place(self.store, self.kubelet, pod, container, self.state_dir)

    def _log(self, request: Request, target: Target) -> Response:
        pod = self.store.get(PODS, target.namespace, target.name)
        app = pod["spec"]["containers"][0]["name"]
        asked = request.query_params.get("container", "")
        if asked and asked != app:
            raise failures.bad_request(f"container {asked} is not valid for pod {target.name}")
        container = self.kubelet.containers.get(pod["metadata"]["uid"]) or Container(
            pod["metadata"]["uid"], target.name, app
        )
        wanted = logs.wish(request.query_params, now=time.time())
        path = logs.file_of(self.state_dir, container, app=app, previous=wanted.previous)
        if not wanted.follow or wanted.previous:
            return Response(logs.shown(logs.chosen(logs.read(path), wanted), wanted), media_type="text/plain")
        return StreamingResponse(_followed(request, path, wanted, container), media_type="text/plain")

    async def execute(self, socket: WebSocket) -> None:
        """`exec` over a WebSocket: channels 1 and 2 carry the output, 3 the Status at the end."""
        try:
            user = access.user_of(socket.path_params.get("user", ""))
            target = Target(PODS, socket.path_params["namespace"], socket.path_params["name"], "exec")
            access.demand(user, "create", PODS, sub="exec", name=target.name, namespace=target.namespace)
            place = self._place(target)
        except ApiError as exc:
            await socket.send_denial_response(JSONResponse(exc.status(), exc.code))
            return
        offered = socket.scope.get("subprotocols", [])
        chosen = next((name for name in ("v5.channel.k8s.io", "v4.channel.k8s.io") if name in offered), None)
        await socket.accept(chosen)
        command = socket.query_params.getlist("command")
        code, output, problem = await asyncio.to_thread(play, place, command)
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            for channel, text in ((1, output), (2, problem)):
                if text:
                    await socket.send_bytes(bytes([channel]) + text.encode("utf-8", "replace"))
            await socket.send_bytes(b"\x03" + json.dumps(_ended(code)).encode())
            await socket.close()


async def _followed(request: Request, path: Path, wanted: logs.Wish, container: Container) -> AsyncIterator[bytes]:
    lines = logs.read(path)
    yield logs.shown(logs.chosen(lines, wanted), wanted)
    life, seen = container.restarts, len(lines)
    while not await request.is_disconnected():
        await asyncio.sleep(FOLLOW_EVERY_S)
        lines = logs.read(path)
        if lines[seen:]:
            yield logs.shown(lines[seen:], wanted)
            seen = len(lines)
        if not container.running or container.restarts != life:
            return


def _ended(code: int) -> Object:
    if code == 0:
        return {"metadata": {}, "status": "Success"}
    cause = {"reason": "ExitCode", "message": str(code)}
    message = f"command terminated with non-zero exit code: exit status {code}"
    details = {"causes": [cause]}
    return {"metadata": {}, "status": "Failure", "message": message, "reason": "NonZeroExitCode", "details": details}


def _discovery(request: Request, *, core: bool) -> Response:
    if "as=APIGroupDiscoveryList" in request.headers.get("accept", ""):
        return Response(json.dumps(resources.aggregated(core=core)), headers={"Content-Type": _DISCOVERY})
    return JSONResponse(resources.versions() if core else resources.groups())


def _verb(request: Request, target: Target) -> str:
    watching = request.query_params.get("watch") in ("true", "1")
    verbs: dict[str, Callable[[], str]] = {
        "GET": lambda: "watch" if watching else "get" if target.name else "list",
        "POST": lambda: "create",
        "PUT": lambda: "update",
        "PATCH": lambda: "patch",
        "DELETE": lambda: "delete" if target.name else "deletecollection",
    }
    return verbs[request.method]()


async def _body(request: Request) -> Any:
    raw = await request.body()
    if request.headers.get("content-type", "").startswith(_PROTOBUF):
        return access.review_from_protobuf(raw)
    try:
        return json.loads(raw) if raw.strip() else {}
    except ValueError as exc:
        raise failures.bad_request(f"the body is no JSON: {exc}") from exc


def _as_table(request: Request) -> bool:
    return "as=Table" in request.headers.get("accept", "")


def _wanted(each: Object, request: HTTPConnection) -> bool:
    query = request.query_params
    return labels_match(labels_of(each), query.get("labelSelector", "")) and fields_match(
        each, query.get("fieldSelector", "")
    )


def _seen_as(kind: str, name: str, wanted: bool, known: set[str]) -> str:
    """How a watcher that filters sees a change: an object may enter and leave what is filtered; empty when unseen."""
    if kind == "DELETED" or not wanted:
        if name not in known:
            return ""
        known.discard(name)
        return "DELETED"
    seen = "MODIFIED" if name in known else "ADDED"
    known.add(name)
    return seen


def scale_of(each: Object) -> Object:
    """The `Scale` of a workload."""
    metadata = {
        key: each["metadata"][key] for key in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    }
    labels = each["spec"]["selector"]["matchLabels"]
    status = {
        "replicas": each["status"].get("replicas", 0),
        "selector": ",".join(f"{k}={v}" for k, v in labels.items()),
    }
    spec = {"replicas": each["spec"]["replicas"]}
    return {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata, "spec": spec, "status": status}


def _replicas(target: Target, wished: Object) -> int:
    count = wished.get("spec", {}).get("replicas", 0)
    if not isinstance(count, int) or count < 0:
        problem = f"spec.replicas: Invalid value: {count}: must be greater than or equal to 0"
        raise failures.invalid(target.resource.full, target.name, kind="Scale", problem=problem)
    return count


def _check(target: Target, wished: Object) -> None:
    """Refuse what would break the controllers."""
    if target.resource is DEPLOYMENTS:
        containers = wished.get("spec", {}).get("template", {}).get("spec", {}).get("containers")
        if not containers or not all(each.get("image") for each in containers):
            problem = "spec.template.spec.containers: Required value"
            raise failures.invalid(target.resource.full, target.name, kind=target.resource.kind, problem=problem)


def _kept(metadata: Object) -> Object:
    """What of the metadata no request changes."""
    names = ("name", "namespace", "uid", "creationTimestamp", "resourceVersion", "generation", "deletionTimestamp")
    return {name: metadata[name] for name in names if name in metadata}


def _gone(pod: Object) -> bool:
    return deleting(pod) and pod["metadata"].get("deletionGracePeriodSeconds") == 0


_VERSION = {
    "major": "1", "minor": "32", "gitVersion": VERSION, "gitCommit": "59526cd4867447956156ae3a602fcbac10a2c335",
    "gitTreeState": "clean", "buildDate": "2025-04-22T15:59:31Z", "goVersion": "go1.23.6", "compiler": "gc",
    "platform": "linux/amd64",
}  # fmt: skip
