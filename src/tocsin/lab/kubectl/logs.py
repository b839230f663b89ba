"""`kubectl logs`: what containers wrote, from the kubelet's files."""

import sys
import time
from pathlib import Path
from typing import NamedTuple

from tocsin.lab import rollout
from tocsin.lab.kubectl.get import selected
from tocsin.lab.kubectl.objects import not_found, resource
from tocsin.lab.kubectl.options import KubectlError, Options, seconds
from tocsin.lab.state import Cluster, Pod, log_file

FOLLOW_EVERY_S = 0.3


class Line(NamedTuple):
    """A line of a container: its RFC 3339 time in UTC with nanoseconds, and its text."""

    stamp: str
    text: str


def logs(cluster: Cluster, options: Options, state_dir: Path) -> int:
    """Print the logs of one pod, of a deployment's first pod, or of all that a selector finds."""
    pods = _pods(cluster, options)
    follow = options.has("follow") and not options.has("previous")
    seen: dict[str, int] = {}
    while True:
        for pod in pods:
            lines = _wanted(pod, options, state_dir)
            for line in lines[seen.get(pod["name"], 0) :]:
                print(_shown(pod, line, options))
            seen[pod["name"]] = len(lines)
        if not follow:
            return 0
        sys.stdout.flush()
        time.sleep(FOLLOW_EVERY_S)


def _pods(cluster: Cluster, options: Options) -> list[Pod]:
    here = options.namespace == cluster["namespace"]
    living = [pod for pod in cluster["pods"].values() if here and pod["deleted_at"] is None]
    if options.get("selector"):
        found = [pod for pod in living if selected(_labels(pod), options.get("selector"))]
        if not found:
            print(f"No resources found in {options.namespace} namespace.", file=sys.stderr)
        return sorted(found, key=lambda pod: pod["name"])
    if len(options.words) < 2:
        usage = "error: expected 'logs [-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]'."
        raise KubectlError(
            f"{usage}\nPOD or TYPE/NAME is a required argument for the logs command\n"
            "See 'kubectl logs -h' for help and examples"
        )
    return [choose_pod(cluster, options.words[1], options)]


def choose_pod(cluster: Cluster, target: str, options: Options) -> Pod:
    """The pod that `POD`, `pod/POD` or `deployment/NAME` means; of several the ready and oldest.

    Raises:
        KubectlError: there is none.
    """
    here = options.namespace == cluster["namespace"]
    word, slash, name = target.partition("/")
    kind = resource(word) if slash else resource("pod")
    name = name if slash else word
    if kind.plural == "pods":
        if not here or name not in cluster["pods"]:
            raise not_found("pods", name)
        return cluster["pods"][name]
    known = {each["metadata"]["name"] for each in kind.build(cluster)} if here else set()
    if name not in known:
        raise not_found(kind.plural, name)
    app = name.rpartition("-")[0] if kind.plural == "replicasets.apps" else name
    mine = sorted(rollout.pods_of(cluster, app), key=lambda pod: not pod["ready"])
    if not mine:
        raise KubectlError("error: timed out waiting for the condition")
    if len(mine) > 1 and options.words[0] == "logs":
        print(f"Found {len(mine)} pods, using pod/{mine[0]['name']}", file=sys.stderr)
    return mine[0]


def _labels(pod: Pod) -> dict[str, str]:
    return {"app": pod["app"]} | ({"pod-template-hash": pod["hash"]} if pod["hash"] else {})


def _wanted(pod: Pod, options: Options, state_dir: Path) -> list[Line]:
    container = options.get("container")
    if container and container != pod["app"]:
        raise KubectlError(f"error: container {container} is not valid for pod {pod['name']}")
    life = pod["restarts"]
    ended = pod["last"] is not None and pod["started_at"] is None  # between two lives, the last is the current one
    if options.has("previous") and not ended:
        life -= 1
        if life < 0:
            raise KubectlError(
                f'Error from server (BadRequest): previous terminated container "{pod["app"]}" in pod '
                f'"{pod["name"]}" not found'
            )
    if pod["started_at"] is None and pod["last"] is None:
        problem = f'container "{pod["app"]}" in pod "{pod["name"]}" is waiting to start: {pod["waiting"]}'
        raise KubectlError(f"Error from server (BadRequest): {problem}")
    lines = read(log_file(state_dir, pod["name"], life))
    since = options.get("since")
    if since:
        lines = [line for line in lines if line.stamp >= stamp(time.time() - seconds(since))]
    if options.get("since-time"):
        lines = [line for line in lines if line.stamp >= options.get("since-time")]
    tail = options.whole("tail", 10 if options.get("selector") else -1)
    return lines if tail < 0 or options.has("follow") else lines[max(0, len(lines) - tail) :]


def stamp(at: float) -> str:
    """An instant as the kubelet stamps lines; compares as text."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{int(at % 1 * 1e9):09d}Z"


def read(path: Path) -> list[Line]:
    """A log file's lines; a line without a stamp (a crash of the interpreter) shares the one before it."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:  # a container that is only listed has written nothing
        return []
    lines: list[Line] = []
    for raw in text.splitlines():
        parts = raw.split(" ", 3)
        if len(parts) >= 3 and parts[1] in ("stdout", "stderr") and parts[2] == "F":
            lines.append(Line(parts[0], parts[3] if len(parts) > 3 else ""))
        else:
            lines.append(Line(lines[-1].stamp if lines else stamp(path.stat().st_mtime), raw))
    return lines


def _shown(pod: Pod, line: Line, options: Options) -> str:
    prefix = f"[pod/{pod['name']}/{pod['app']}] " if options.has("prefix") else ""
    return prefix + (f"{line.stamp} " if options.has("timestamps") else "") + line.text
