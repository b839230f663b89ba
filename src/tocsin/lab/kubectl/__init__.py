"""The stand-in for `kubectl` where there is none: the verbs a runbook uses, in kubectl's own words, at the same API.

It must start fast, so that only light modules of the standard library are imported. It is no general kubectl: what
it does not know it refuses, with exit code 1.
"""

import os
import sys

from tocsin.lab.kubectl import change
from tocsin.lab.kubectl.client import Cluster
from tocsin.lab.kubectl.describe import describe
from tocsin.lab.kubectl.get import get, top
from tocsin.lab.kubectl.logs import execute, logs
from tocsin.lab.kubectl.options import KubectlError, Options, parse

CONTEXT = "production"


def main(arguments: list[str]) -> int:
    """Run one command; `arguments` are the server's address and what was typed. Gives the exit code."""
    address, typed = arguments[0], arguments[1:]
    try:
        return _run(parse(typed), Cluster(address))
    except KubectlError as exc:
        print(exc, file=sys.stderr)
        return exc.code
    except BrokenPipeError:  # `| head`: the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1
    except KeyboardInterrupt:
        return 130


def _run(options: Options, cluster: Cluster) -> int:
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
    verbs = {
        "get": get, "describe": describe, "top": top, "exec": execute, "logs": logs, "auth": _auth,
        "rollout": change.roll, "scale": change.scale, "set": change.set_image, "delete": change.delete,
        "cordon": change.cordon, "uncordon": change.cordon, "version": _version, "cluster-info": _info,
    }  # fmt: skip
    if verb not in verbs:
        raise KubectlError(f'error: unknown command "{verb}" for "kubectl"')
    return verbs[verb](cluster, options)


def _version(cluster: Cluster, _options: Options) -> int:
    print(f"{_CLIENT_VERSION}\nServer Version: {cluster.get('/version')['gitVersion']}")
    return 0


def _info(cluster: Cluster, _options: Options) -> int:
    cluster.get("/version")
    print(f"Kubernetes control plane is running at http://{cluster.named}")
    return 0


def _config(options: Options) -> int:
    if options.words[1:] in (("current-context",), ("get-contexts",)):
        if options.words[1] == "get-contexts":
            print("CURRENT   NAME         CLUSTER      AUTHINFO   NAMESPACE")
            print("*         production   production   practice   production")
        else:
            print(CONTEXT)
        return 0
    if options.words[1:2] == ("use-context",):
        if options.words[2:] != (CONTEXT,):
            raise KubectlError(f'error: no context exists with the name: "{" ".join(options.words[2:])}"')
        print(f'Switched to context "{CONTEXT}".')
        return 0
    raise KubectlError(f'error: unknown command "config {" ".join(options.words[1:])}"')


def _auth(cluster: Cluster, options: Options) -> int:
    """`auth can-i`, as the server reviews it."""
    if options.words[1:2] != ("can-i",) or len(options.words) < 3:
        raise KubectlError("error: you must specify two arguments: verb resource or verb resource/resourceName")
    resource = options.words[3].partition("/")[0] if len(options.words) > 3 else "pods"
    kind = cluster.kind(resource)
    wish = {"verb": options.words[2], "resource": kind.plural, "group": kind.group, "namespace": options.namespace}
    body = {"kind": "SelfSubjectAccessReview", "spec": {"resourceAttributes": wish}}
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    allowed = cluster.change("POST", path, body, "application/json")["status"]["allowed"]
    if not options.has("quiet"):
        print("yes" if allowed else "no")
    return 0 if allowed else 1


_CLIENT_VERSION = "Client Version: v1.32.4\nKustomize Version: v5.5.0"
_HELP = """kubectl controls the Kubernetes cluster manager: a stand-in for the practice production.

 get, describe, logs, top     look
 rollout, scale, set image    change a deployment
 delete, exec, cordon         act on pods and nodes
 auth can-i, config, version, cluster-info"""
