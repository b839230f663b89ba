"""The stand-in for `kubectl`: the verbs a runbook uses, against the practice cluster, in kubectl's own words.

It must start fast, so that only light modules of the standard library are imported. It is no general kubectl: what
it does not know it refuses, with exit code 1.
"""

import os
import socket
import sys
import time
from pathlib import Path

from tocsin.lab.errors import LabError
from tocsin.lab.kubectl import change
from tocsin.lab.kubectl.container import execute
from tocsin.lab.kubectl.describe import describe
from tocsin.lab.kubectl.get import get, top
from tocsin.lab.kubectl.logs import logs
from tocsin.lab.kubectl.options import KubectlError, Options, parse
from tocsin.lab.state import Cluster, load

CONTEXT = "production"


def main(arguments: list[str]) -> int:
    """Run one command; `arguments` are the cluster's directory and what was typed. Gives the exit code."""
    state_dir, typed = Path(arguments[0]), arguments[1:]
    try:
        return _run(parse(typed), state_dir)
    except KubectlError as exc:
        print(exc, file=sys.stderr)
        return exc.code
    except BrokenPipeError:  # `| head`: the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1
    except KeyboardInterrupt:
        return 130


def _run(options: Options, state_dir: Path) -> int:
    verb = options.words[0] if options.words else ""
    if not verb or options.has("help"):
        print(_HELP)
        return 0
    if options.get("context", CONTEXT) != CONTEXT:
        raise KubectlError(
            f"Error in configuration: context was not found for specified context: {options.get('context')}"
        )
    if verb == "config":
        return _config(options)
    if verb == "version" and options.has("client"):
        print(_CLIENT_VERSION)
        return 0
    cluster = _connect(state_dir)
    changes = {"rollout": change.roll, "scale": change.scale, "set": change.set_image, "delete": change.delete}
    reads = {"get": get, "describe": describe, "top": top, "exec": execute, "auth": _auth}
    if verb in changes:
        return changes[verb](options, state_dir)
    if verb in reads:
        return reads[verb](cluster, options)
    if verb == "logs":
        return logs(cluster, options, state_dir)
    if verb == "version":
        print(f"{_CLIENT_VERSION}\nServer Version: v1.32.4")
        return 0
    if verb == "cluster-info":
        print(f"Kubernetes control plane is running at http://127.0.0.1:{cluster['port']}")
        return 0
    raise KubectlError(f'error: unknown command "{verb}" for "kubectl"')


def _connect(state_dir: Path) -> Cluster:
    """The cluster, if it runs.

    Raises:
        KubectlError: nothing listens, in the words of a refused connection.
    """
    try:
        cluster = load(state_dir)
    except LabError:
        raise _refused("localhost:8080") from None
    try:
        socket.create_connection(("127.0.0.1", cluster["port"]), timeout=5).close()
    except OSError:
        raise _refused(f"127.0.0.1:{cluster['port']}") from None
    return cluster


def _refused(address: str) -> KubectlError:
    stamp = time.strftime("%m%d %H:%M:%S", time.gmtime()) + f".{time.time_ns() // 1000 % 1_000_000:06d}"
    problem = f'Get \\"http://{address}/api?timeout=32s\\": dial tcp {address}: connect: connection refused'
    where = f'E{stamp} {os.getpid():>7} memcache.go:265] "Unhandled Error"'
    line = f'{where} err="couldn\'t get current server API group list: {problem}"'
    end = f"The connection to the server {address} was refused - did you specify the right host or port?"
    return KubectlError("\n".join([line] * 5 + [end]))


def _config(options: Options) -> int:
    if options.words[1:] in (("current-context",), ("get-contexts",)):
        if options.words[1] == "get-contexts":
            print("CURRENT   NAME         CLUSTER    AUTHINFO   NAMESPACE")
            print("*         production   practice   practice   ")
        else:
            print(CONTEXT)
        return 0
    if options.words[1:2] == ("use-context",):
        if options.words[2:] != (CONTEXT,):
            raise KubectlError(f'error: no context exists with the name: "{" ".join(options.words[2:])}"')
        print(f'Switched to context "{CONTEXT}".')
        return 0
    raise KubectlError(f'error: unknown command "config {" ".join(options.words[1:])}"')


def _auth(_cluster: Cluster, options: Options) -> int:
    """`auth can-i`: yes to all that the stand-in can do, no to the rest."""
    if options.words[1:2] != ("can-i",) or len(options.words) < 3:
        raise KubectlError("error: you must specify two arguments: verb resource or verb resource/resourceName")
    allowed = options.words[2] in ("get", "list", "watch", "create", "update", "patch", "delete", "*")
    if not options.has("quiet"):
        print("yes" if allowed else "no")
    return 0 if allowed else 1


_CLIENT_VERSION = "Client Version: v1.32.4\nKustomize Version: v5.5.0"
_HELP = """kubectl controls the Kubernetes cluster manager: a stand-in for the practice production.

 get, describe, logs, top     look
 rollout, scale, set image    change a deployment
 delete pod, exec             act on a pod
 auth can-i, config, version, cluster-info"""
