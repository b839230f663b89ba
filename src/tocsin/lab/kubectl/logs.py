"""`kubectl logs` and `kubectl exec`: which pod is meant, and what it wrote."""

import sys

from tocsin.lab.kubectl.client import Cluster, Object
from tocsin.lab.kubectl.get import select
from tocsin.lab.kubectl.options import KubectlError, Options, seconds


def logs(cluster: Cluster, options: Options) -> int:
    """Print the logs of one pod, of a deployment's first pod, or of all that a selector finds."""
    pods = _pods(cluster, options)
    query = {
        "container": options.get("container"),
        "previous": "true" if options.has("previous") else "",
        "timestamps": "true" if options.has("timestamps") else "",
        "sinceTime": options.get("since-time"),
        "sinceSeconds": f"{seconds(options.get('since')):g}" if options.get("since") else "",
    }
    tail = options.whole("tail", 10 if options.get("selector") else -1)
    query |= {"tailLines": str(tail)} if tail >= 0 else {}
    query |= {"follow": "true"} if options.has("follow") else {}
    for pod in pods:
        metadata, container = pod["metadata"], pod["spec"]["containers"][0]["name"]
        path = cluster.path(cluster.kind("pods"), metadata["namespace"], metadata["name"], "log")
        prefix = f"[pod/{metadata['name']}/{container}] " if options.has("prefix") else ""
        for piece in cluster.follow(path, query):
            text = piece.decode("utf-8", "replace")
            sys.stdout.write("".join(prefix + line for line in text.splitlines(keepends=True)) if prefix else text)
            sys.stdout.flush()
    return 0


def _pods(cluster: Cluster, options: Options) -> list[Object]:
    if options.get("selector"):
        found = select(cluster, cluster.kind("pods"), options, [])
        if not found:
            print(f"No resources found in {options.namespace} namespace.", file=sys.stderr)
        return found
    if len(options.words) < 2:
        usage = "error: expected 'logs [-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]'."
        raise KubectlError(
            f"{usage}\nPOD or TYPE/NAME is a required argument for the logs command\n"
            "See 'kubectl logs -h' for help and examples"
        )
    return [choose_pod(cluster, options.words[1], options)]


def choose_pod(cluster: Cluster, target: str, options: Options) -> Object:
    """The pod that `POD`, `pod/POD` or `deployment/NAME` means; of several a ready one.

    Raises:
        KubectlError: there is none.
    """
    word, slash, name = target.partition("/")
    kind = cluster.kind(word) if slash else cluster.kind("pods")
    owner = select(cluster, kind, options, [name if slash else word])[0]
    if kind.plural == "pods":
        return owner
    labels = owner["spec"]["selector"]["matchLabels"]
    selector = ",".join(f"{key}={value}" for key, value in labels.items())
    path = cluster.path(cluster.kind("pods"), owner["metadata"]["namespace"])
    found: list[Object] = cluster.get(path, {"labelSelector": selector})["items"]
    mine = sorted(found, key=lambda pod: not all(each["ready"] for each in pod["status"]["containerStatuses"]))
    if not mine:
        raise KubectlError("error: timed out waiting for the condition")
    if len(mine) > 1 and options.words[0] == "logs":
        print(f"Found {len(mine)} pods, using pod/{mine[0]['metadata']['name']}", file=sys.stderr)
    return mine[0]


def execute(cluster: Cluster, options: Options) -> int:
    """Run the command in the pod and give its exit code."""
    if len(options.words) < 2:
        raise KubectlError("error: pod, type/name or --filename must be specified")
    if not options.command:
        raise KubectlError("error: you must specify at least one command for the container")
    pod = choose_pod(cluster, options.words[1], options)
    if options.has("tty") and not sys.stdin.isatty():
        print("Unable to use a TTY - input is not a terminal or the right kind of file", file=sys.stderr)
    code = cluster.execute(pod["metadata"]["namespace"], pod["metadata"]["name"], list(options.command))
    if code:
        print(f"command terminated with exit code {code}", file=sys.stderr)
    return code
