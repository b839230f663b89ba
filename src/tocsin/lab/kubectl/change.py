"""The verbs that change the cluster: `rollout`, `scale`, `set image`, `delete pod`. The controller does the rest."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tocsin.lab import rollout
from tocsin.lab.errors import RolloutError
from tocsin.lab.kubectl.get import select
from tocsin.lab.kubectl.objects import not_found, resource
from tocsin.lab.kubectl.options import KubectlError, Options, seconds
from tocsin.lab.state import Cluster, Deployment, edit, load

POLL_S = 0.1
_FORCED = (
    "Warning: Immediate deletion does not wait for confirmation that the running resource has been terminated. "
    "The resource may continue to run on the cluster indefinitely."
)


def roll(options: Options, state_dir: Path) -> int:
    """`rollout restart|undo|status|history`."""
    verbs = {"restart": _restart, "undo": _undo, "status": _status, "history": _history}
    verb = options.words[1] if len(options.words) > 1 else ""
    if verb not in verbs:
        raise KubectlError(f"error: unknown command \"rollout {verb}\"\nSee 'kubectl rollout -h' for help and examples")
    return verbs[verb](options, state_dir)


def _named(cluster: Cluster, options: Options, *, skip: int) -> Deployment:
    """The deployment that `deployment/x` or `deployment x` names, after `skip` words."""
    words = options.words[skip:]
    if not words:
        raise KubectlError("error: required resource not specified")
    word, slash, name = words[0].partition("/")
    kind = resource(word)
    if not slash and len(words) < 2:
        raise KubectlError("error: resource(s) were provided, but no name was specified")
    name = name if slash else words[1]
    if options.namespace != cluster["namespace"]:
        raise not_found(kind.plural, name)
    if kind.plural != "deployments.apps":
        select(cluster, kind, options, [name])
        raise KubectlError(f'error: {kind.plural} "{name}" cannot be changed by this command in the practice cluster')
    if name not in cluster["deployments"]:
        raise not_found(kind.plural, name)
    return cluster["deployments"][name]


def _restart(options: Options, state_dir: Path) -> int:
    with _changing(options, state_dir) as cluster:
        deployment = _named(cluster, options, skip=2)
        rollout.restart(deployment, time.time())
    print(f"deployment.apps/{deployment['name']} restarted{_dry(options)}")
    return 0


def _undo(options: Options, state_dir: Path) -> int:
    try:
        with _changing(options, state_dir) as cluster:
            deployment = _named(cluster, options, skip=2)
            undone = rollout.undo(deployment, options.whole("to-revision", 0))
            revision = rollout.current(deployment)["revision"]
    except RolloutError as exc:
        raise KubectlError(f"error: {exc}") from exc
    skipped = f"skipped rollback (current template already matches revision {revision})"
    print(f"deployment.apps/{deployment['name']} {'rolled back' if undone else skipped}{_dry(options)}")
    return 0


def _status(options: Options, state_dir: Path) -> int:
    limit = seconds(options.get("timeout", "0s"))
    deadline = time.monotonic() + limit if limit else None
    said = ""
    while True:
        cluster = load(state_dir)
        deployment = _named(cluster, options, skip=2)
        progress = rollout.progress(deployment, rollout.pods_of(cluster, deployment["name"]))
        if progress.line != said:
            said = progress.line
            print(said, flush=True)
        if progress.done or options.get("watch") == "false":
            return 0
        if deadline is not None and time.monotonic() >= deadline:
            raise KubectlError("error: timed out waiting for the condition")
        time.sleep(POLL_S)


def _history(options: Options, state_dir: Path) -> int:
    deployment = _named(load(state_dir), options, skip=2)
    known = rollout.history(deployment)
    wanted = options.whole("revision", 0)
    if wanted:
        found = [each for each in known if each["revision"] == wanted]
        if not found:
            raise KubectlError("error: unable to find the specified revision")
        print(f"deployment.apps/{deployment['name']} with revision #{wanted}\nPod Template:")
        print(f"  Labels:\tapp={deployment['name']}\n\tpod-template-hash={found[0]['hash']}")
        print(f"  Containers:\n   {deployment['name']}:\n    Image:\t{found[0]['image']}")
        print(f"    Port:\t{deployment['port']}/TCP\n")
        return 0
    rows = [["REVISION", "CHANGE-CAUSE"], *([str(each["revision"]), "<none>"] for each in known)]
    lines = "".join(f"{revision:<10}{cause}\n" for revision, cause in rows)
    print(f"deployment.apps/{deployment['name']} \n{lines}")
    return 0


def scale(options: Options, state_dir: Path) -> int:
    """`scale --replicas=N`."""
    if "replicas" not in options.flags:
        raise KubectlError('error: required flag(s) "replicas" not set')
    replicas = options.whole("replicas", 0)
    if replicas < 0:
        raise KubectlError("error: The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0")
    with _changing(options, state_dir) as cluster:
        deployment = _named(cluster, options, skip=1)
        expected = options.whole("current-replicas", -1)
        if expected not in (-1, deployment["replicas"]):
            raise KubectlError(f"error: Expected replicas to be {expected}, was {deployment['replicas']}")
        deployment["replicas"] = replicas
    print(f"deployment.apps/{deployment['name']} scaled{_dry(options)}")
    return 0


def set_image(options: Options, state_dir: Path) -> int:
    """`set image deployment/x container=image`."""
    pairs = [word for word in options.words if "=" in word]
    if options.words[1:2] != ("image",) or not pairs:
        raise KubectlError("error: at least one image update is required")
    container, _, image = pairs[0].partition("=")
    with _changing(options, state_dir) as cluster:
        words = tuple(word for word in options.words if word not in pairs)
        deployment = _named(cluster, options._replace(words=words), skip=2)
        if container not in (deployment["name"], "*"):
            raise KubectlError(f'error: unable to find container named "{container}"')
        changed = rollout.release(deployment, image, time.time())
    if changed:
        print(f"deployment.apps/{deployment['name']} image updated{_dry(options)}")
    return 0


def delete(options: Options, state_dir: Path) -> int:
    """`delete pod NAME...` or by selector; whoever owns the pod starts another."""
    word, slash, name = (options.words[1] if len(options.words) > 1 else "").partition("/")
    if not word:
        raise KubectlError("error: resource(s) were provided, but no name was specified")
    kind = resource(word)
    names = [name] if slash else list(options.words[2:])
    if kind.plural != "pods":
        raise KubectlError(f'error: only pods can be deleted in the practice cluster, not "{kind.plural}"')
    if not names and not options.get("selector") and not options.has("all"):
        raise KubectlError("error: resource(s) were provided, but no name was specified")
    if options.has("force"):
        print(_FORCED, file=sys.stderr)
    with _changing(options, state_dir) as cluster:
        found = [each["metadata"]["name"] for each in select(cluster, kind, options, names)]
        for pod in found:
            rollout.delete_pod(cluster, cluster["pods"][pod], now=time.time())
    if not found:
        print("No resources found", file=sys.stderr)
    for pod in found:
        print(f'pod "{pod}" {"force " if options.has("force") else ""}deleted{_dry(options)}')
    return 0


@contextmanager
def _changing(options: Options, state_dir: Path) -> Iterator[Cluster]:
    """The cluster to change; with `--dry-run` a copy that is thrown away."""
    if options.dry_run:
        yield load(state_dir)
        return
    with edit(state_dir) as cluster:
        yield cluster


def _dry(options: Options) -> str:
    return {"": "", "server": " (server dry run)"}.get(options.dry_run, " (dry run)")
