"""The verbs that change the cluster: `rollout`, `scale`, `set image`, `delete`, `cordon`. The server does the rest."""

import sys
import time

from tocsin.lab.kubectl.client import Cluster, Kind, Object
from tocsin.lab.kubectl.get import asked, select
from tocsin.lab.kubectl.options import KubectlError, Options, seconds

POLL_S = 0.1
REVISION = "deployment.kubernetes.io/revision"
STRATEGIC, MERGE = "application/strategic-merge-patch+json", "application/merge-patch+json"
_FORCED = (
    "Warning: Immediate deletion does not wait for confirmation that the running resource has been terminated. "
    "The resource may continue to run on the cluster indefinitely."
)


def roll(cluster: Cluster, options: Options) -> int:
    """`rollout restart|undo|status|history`."""
    verbs = {"restart": _restart, "undo": _undo, "status": _status, "history": _history}
    verb = options.words[1] if len(options.words) > 1 else ""
    if verb not in verbs:
        raise KubectlError(f"error: unknown command \"rollout {verb}\"\nSee 'kubectl rollout -h' for help and examples")
    return verbs[verb](cluster, options)


def _named(cluster: Cluster, options: Options, *, skip: int) -> tuple[Kind, Object]:
    """The workload that `deployment/x` or `deployment x` names, after `skip` words."""
    words = options.words[skip:]
    if not words:
        raise KubectlError("error: required resource not specified")
    word, slash, name = words[0].partition("/")
    kind = cluster.kind(word)
    if not slash and len(words) < 2:
        raise KubectlError("error: resource(s) were provided, but no name was specified")
    return kind, select(cluster, kind, options, [name if slash else words[1]])[0]


def _patch(cluster: Cluster, options: Options, subject: tuple[Kind, Object], patch: Object) -> Object:
    if options.dry_run == "client":
        return subject[1]
    return cluster.change("PATCH", _at(cluster, subject) + _dry_query(options), patch, STRATEGIC)


def _at(cluster: Cluster, subject: tuple[Kind, Object], sub: str = "") -> str:
    metadata = subject[1]["metadata"]
    return cluster.path(subject[0], metadata.get("namespace", ""), metadata["name"], sub)


def _dry_query(options: Options) -> str:
    return "?dryRun=All" if options.dry_run == "server" else ""


def _said(subject: tuple[Kind, Object], done: str, options: Options) -> int:
    dry = {"": "", "server": " (server dry run)"}.get(options.dry_run, " (dry run)")
    print(f"{subject[0].short}/{subject[1]['metadata']['name']} {done}{dry}")
    return 0


def _restart(cluster: Cluster, options: Options) -> int:
    subject = _named(cluster, options, skip=2)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    annotations = {"kubectl.kubernetes.io/restartedAt": stamp}
    _patch(cluster, options, subject, {"spec": {"template": {"metadata": {"annotations": annotations}}}})
    return _said(subject, "restarted", options)


def _revisions(cluster: Cluster, subject: tuple[Kind, Object]) -> list[Object]:
    """The replica sets of a deployment, oldest revision first."""
    owner = subject[1]["metadata"]
    found = cluster.get(cluster.path(cluster.kind("replicasets"), owner["namespace"]))["items"]
    mine = [each for each in found if any(o["uid"] == owner["uid"] for o in each["metadata"]["ownerReferences"])]
    return sorted(mine, key=_revision)


def _revision(replica_set: Object) -> int:
    return int(replica_set["metadata"]["annotations"][REVISION])


def _undo(cluster: Cluster, options: Options) -> int:
    subject = _named(cluster, options, skip=2)
    name, known, wanted = subject[1]["metadata"]["name"], _revisions(cluster, subject), options.whole("to-revision", 0)
    if wanted:
        found = [each for each in known if _revision(each) == wanted]
        if not found:
            raise KubectlError(f"error: unable to find specified revision {wanted} in history")
    else:
        found = known[-2:-1]
        if not found:
            raise KubectlError(f'error: no rollout history found for deployment "{name}"')
    if found[0] is known[-1]:
        skipped = f"skipped rollback (current template already matches revision {_revision(found[0])})"
        return _said(subject, skipped, options)
    template = found[0]["spec"]["template"]
    template["metadata"]["labels"].pop("pod-template-hash", None)
    if options.dry_run != "client":
        patch = [{"op": "replace", "path": "/spec/template", "value": template}]
        path = _at(cluster, subject) + _dry_query(options)
        cluster.change("PATCH", path, patch, "application/json-patch+json")
    return _said(subject, "rolled back", options)


def _status(cluster: Cluster, options: Options) -> int:
    limit = seconds(options.get("timeout", "0s"))
    deadline = time.monotonic() + limit if limit else None
    said = ""
    while True:
        line, done = progress(_named(cluster, options, skip=2)[1])
        if line != said:
            said = line
            print(said, flush=True)
        if done or options.get("watch") == "false":
            return 0
        if deadline is not None and time.monotonic() >= deadline:
            raise KubectlError("error: timed out waiting for the condition")
        time.sleep(POLL_S)


def progress(deployment: Object) -> tuple[str, bool]:
    """How far a rollout is (kubectl, polymorphichelpers/rollout_status.go), and whether it is over."""
    name, want, found = deployment["metadata"]["name"], deployment["spec"]["replicas"], deployment["status"]
    if found.get("observedGeneration", 0) < deployment["metadata"].get("generation", 1):
        return "Waiting for deployment spec update to be observed...", False
    late = [one for one in found.get("conditions", []) if one["reason"] == "ProgressDeadlineExceeded"]
    if late:
        raise KubectlError(f'error: deployment "{name}" exceeded its progress deadline')
    updated, total = found.get("updatedReplicas", 0), found.get("replicas", 0)
    waiting = f'Waiting for deployment "{name}" rollout to finish: '
    if updated < want:
        return f"{waiting}{updated} out of {want} new replicas have been updated...", False
    if total > updated:
        return f"{waiting}{total - updated} old replicas are pending termination...", False
    if found.get("availableReplicas", 0) < updated:
        return f"{waiting}{found.get('availableReplicas', 0)} of {updated} updated replicas are available...", False
    return f'deployment "{name}" successfully rolled out', True


def _history(cluster: Cluster, options: Options) -> int:
    subject = _named(cluster, options, skip=2)
    known, wanted, name = _revisions(cluster, subject), options.whole("revision", 0), subject[1]["metadata"]["name"]
    if wanted:
        found = [each for each in known if _revision(each) == wanted]
        if not found:
            raise KubectlError("error: unable to find the specified revision")
        container = found[0]["spec"]["template"]["spec"]["containers"][0]
        mark = found[0]["metadata"]["labels"]["pod-template-hash"]
        print(f"deployment.apps/{name} with revision #{wanted}\nPod Template:")
        print(f"  Labels:\tapp={name}\n\tpod-template-hash={mark}")
        print(f"  Containers:\n   {container['name']}:\n    Image:\t{container['image']}\n")
        return 0
    rows = [["REVISION", "CHANGE-CAUSE"], *([str(_revision(each)), "<none>"] for each in known)]
    lines = "".join(f"{revision:<10}{cause}\n" for revision, cause in rows)
    print(f"deployment.apps/{name} \n{lines}")
    return 0


def scale(cluster: Cluster, options: Options) -> int:
    """`scale --replicas=N`."""
    if "replicas" not in options.flags:
        raise KubectlError('error: required flag(s) "replicas" not set')
    replicas = options.whole("replicas", 0)
    if replicas < 0:
        raise KubectlError("error: The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0")
    subject = _named(cluster, options, skip=1)
    have, expected = subject[1]["spec"]["replicas"], options.whole("current-replicas", -1)
    if expected not in (-1, have):
        raise KubectlError(f"error: Expected replicas to be {expected}, was {have}")
    if options.dry_run != "client":
        path = _at(cluster, subject, "scale") + _dry_query(options)
        cluster.change("PATCH", path, {"spec": {"replicas": replicas}}, MERGE)
    return _said(subject, "scaled", options)


def set_image(cluster: Cluster, options: Options) -> int:
    """`set image deployment/x container=image`."""
    pairs = [word for word in options.words if "=" in word]
    if options.words[1:2] != ("image",) or not pairs:
        raise KubectlError("error: at least one image update is required")
    container, _, image = pairs[0].partition("=")
    words = tuple(word for word in options.words if word not in pairs)
    subject = _named(cluster, options._replace(words=words), skip=2)
    containers = subject[1]["spec"]["template"]["spec"]["containers"]
    mine = [each for each in containers if container in (each["name"], "*")]
    if not mine:
        raise KubectlError(f'error: unable to find container named "{container}"')
    if all(each["image"] == image for each in mine):
        return 0
    patch = [{"name": each["name"], "image": image} for each in mine]
    _patch(cluster, options, subject, {"spec": {"template": {"spec": {"containers": patch}}}})
    return _said(subject, "image updated", options)


def delete(cluster: Cluster, options: Options) -> int:
    """`delete KIND NAME...` or by selector; waits until they are gone."""
    if len(options.words) < 2:
        raise KubectlError("error: resource(s) were provided, but no name was specified")
    kinds, names = asked(cluster, options)
    if not names and not options.get("selector") and not options.has("all"):
        raise KubectlError("error: resource(s) were provided, but no name was specified")
    if options.has("force"):
        print(_FORCED, file=sys.stderr)
    found = select(cluster, kinds[0], options, names)
    if not found:
        print("No resources found", file=sys.stderr)
    for each in found:
        body: Object = {"gracePeriodSeconds": 0} if options.has("force") else {}
        if not options.dry_run:
            cluster.change("DELETE", _at(cluster, (kinds[0], each)), body, "application/json")
        dry = {"": "", "server": " (server dry run)"}.get(options.dry_run, " (dry run)")
        what = kinds[0].short
        print(f'{what} "{each["metadata"]["name"]}" {"force " if options.has("force") else ""}deleted{dry}')
    return 0


def cordon(cluster: Cluster, options: Options) -> int:
    """`cordon NODE` and `uncordon NODE`."""
    if len(options.words) < 2:
        raise KubectlError(f"error: USAGE: {options.words[0]} NODE [flags]")
    kind, away = cluster.kind("nodes"), options.words[0] == "cordon"
    node = select(cluster, kind, options, [options.words[1]])[0]
    _patch(cluster, options, (kind, node), {"spec": {"unschedulable": True if away else None}})
    print(f"node/{options.words[1]} {options.words[0]}ed")
    return 0
