"""Rules for container, cluster and cloud clients besides kubectl. What is not listed as reading changes something."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tocsin.runbook.shell.model import Classification
from tocsin.runbook.shell.options import Spec, read_options
from tocsin.runbook.shell.verdicts import Call, change, destructive, is_read, read
from tocsin.runbook.shell.words import Word

_DOCKER_READS = {
    "ps",
    "logs",
    "inspect",
    "images",
    "stats",
    "top",
    "version",
    "info",
    "events",
    "port",
    "diff",
    "history",
}
_DOCKER_GROUPS = {
    "compose": {"ps", "logs", "images", "top", "ls", "version", "port"},
    "container": {"ls", "list", "ps", "inspect", "logs", "stats", "top", "port", "diff"},
    "image": {"ls", "list", "inspect", "history"},
    "network": {"ls", "list", "inspect"},
    "volume": {"ls", "list", "inspect"},
    "system": {"df", "info", "events"},
    "service": {"ls", "ps", "inspect", "logs"},
    "node": {"ls", "ps", "inspect"},
    "stack": {"ls", "ps", "services"},
}
_DOCKER_DESTROYS = {"rm", "rmi", "kill", "prune", "down", "exec", "run"}
_COMPOSE = Spec("", "-f --file -p --project-name --profile", stops=True)
_EXEC = Spec("-i -t -T --interactive --tty", "-u -w --user --workdir --index", stops=True)
_HELM_READS = {"list", "ls", "status", "history", "hist", "version", "search"}
_HELM_DESTROYS = {"upgrade", "rollback", "uninstall", "delete", "del", "install"}
_HELM = Spec("--debug", "-n --namespace --kube-context --kubeconfig --registry-config --repository-config", stops=True)
_ARGO = Spec("--grpc-web --insecure --plaintext", "--server --auth-token --config", stops=True)
_AWS_GLOBALS = Spec("--no-cli-pager --no-paginate --no-verify-ssl", "--region --profile --output --query "
                    "--endpoint-url", stops=True)  # fmt: skip
_AWS_SECRET = re.compile(r"secret|password|login|token|authorization|object|get-parameter|credential|key")
# Other get-... operations take the name of a file to write.
_AWS_GETS = {"get-metric-statistics", "get-metric-data", "get-caller-identity", "get-queue-attributes",
             "get-health-check-status", "get-cost-and-usage"}  # fmt: skip
_GCLOUD_GROUPS = {"compute", "instances", "container", "clusters", "node-pools", "sql", "run", "services", "revisions",
                  "operations", "projects", "logging", "app", "functions", "disks", "zones", "regions"}  # fmt: skip


def docker(call: Call) -> Classification:
    return _docker(call, list(call.arguments))


def docker_compose(call: Call) -> Classification:
    return _docker(call, [Word("compose"), *call.arguments])


def _docker(call: Call, words: Sequence[Word]) -> Classification:
    verb = words[0].text if words and not words[0].splits else ""
    rest = list(words[1:])
    reads = _DOCKER_READS
    if verb in _DOCKER_GROUPS:
        options = read_options(rest, _COMPOSE)
        rest = list(options.rest) if options else []
        reads, verb = _DOCKER_GROUPS[verb], rest[0].text if rest else ""
        rest = rest[1:]
    if verb == "exec":
        return _exec(call, rest)
    if verb in reads and not any(word.text.startswith(("-o", "--output")) for word in rest):
        return read(f"{call.program} {verb} only reads")
    if verb in _DOCKER_DESTROYS:
        return destructive(f"{call.program} {verb} removes, ends or runs something")
    return change(f"{call.program} {verb}".rstrip() + " is not known to only read")


def _exec(call: Call, rest: Sequence[Word]) -> Classification:
    options = read_options(rest, _EXEC)
    inner = options.rest[1:] if options else ()
    verdict = call.judge(inner) if inner else destructive("it opens a shell in a container")
    if is_read(verdict):
        return read(f"inside the container, {verdict.reason}")
    return destructive(f"it runs in a container: {verdict.reason}")


def helm(call: Call) -> Classification:
    verb = _verb(call, _HELM)
    if verb in _HELM_READS and not any(word.splits for word in call.arguments):
        return read(f"helm {verb} only reads")
    if verb in _HELM_DESTROYS or _HELM_DESTROYS.intersection(word.text for word in call.arguments):
        return destructive(f"helm {verb} replaces or removes a release".replace("  ", " "))
    return change(f"helm {verb}".rstrip() + " is not known to only read")


def terraform(call: Call) -> Classification:
    words = [word.text for word in call.arguments if not word.text.startswith("-chdir=")]
    if any(word.splits for word in call.arguments):
        return destructive("terraform changes infrastructure")
    if words[:1] in (["version"], ["--version"]) or words[:2] in (["state", "list"], ["workspace", "list"]):
        return read("terraform " + " ".join(words[:2]) + " only reads")
    if words[:1] in (["plan"], ["init"], ["validate"], ["fmt"], ["show"], ["output"]):
        return change(f"terraform {words[0]} writes files, takes locks or shows secrets")
    return destructive("terraform changes infrastructure")


def argocd(call: Call) -> Classification:
    options = read_options(call.arguments, _ARGO)
    words = [word.text for word in options.rest] if options else []
    refresh = any("refresh" in word or word.startswith("\ue001") for word in words)
    if words[:1] == ["app"] and words[1:2] and words[1] in {"get", "list", "history", "diff"} and not refresh:
        return read(f"argocd app {words[1]} only reads")
    if words[:1] == ["version"]:
        return read("argocd version only reads")
    if "delete" in words:
        return destructive("argocd delete removes what it names")
    return change("this call of argocd is not known to only read")


def aws(call: Call) -> Classification:
    """Classes by the operation's name: describe- and list- read, unless what they show is a secret."""
    options = read_options(call.arguments, _AWS_GLOBALS)
    if options is None or len(options.rest) < 2 or any(word.splits for word in options.rest[:2]):
        return change("this call of aws is not known to only read")
    service, operation = options.rest[0].text, options.rest[1].text
    if service == "s3" and operation == "ls":
        return read("aws s3 ls only reads")
    if re.match(r"delete|terminate|remove|deregister|destroy|rm$|rb$|purge|reboot|stop", operation):
        return destructive(f"aws {operation} ends or removes what it names")
    if service == "logs" and operation in ("tail", "filter-log-events", "get-log-events"):
        return read(f"aws logs {operation} only reads")
    if _AWS_SECRET.search(operation) or service in ("secretsmanager", "s3api", "s3"):
        return change("it may show a secret or write a file")
    if re.match(r"(?:describe|list)-", operation) or operation in _AWS_GETS:
        return read(f"aws {operation} only reads")
    return change(f"aws {operation} is not known to only read")


def gcloud(call: Call) -> Classification:
    texts = [word.text for word in call.arguments]
    verbs = [text for text in texts if text not in _GCLOUD_GROUPS]
    if verbs and verbs[0] in ("list", "describe") and not any(word.splits for word in call.arguments):
        return read(f"gcloud {verbs[0]} only reads")
    if ends := [text for text in texts if text in ("delete", "reset", "stop")]:
        return destructive(f"gcloud {ends[0]} ends or removes what it names")
    return change("this call of gcloud is not known to only read")


def systemctl(call: Call) -> Classification:
    reads = {"status", "is-active", "is-enabled", "is-failed", "list-units", "list-timers", "list-unit-files", "show",
             "cat", "list-dependencies", "list-sockets", "--failed"}  # fmt: skip
    spec = Spec("--no-pager -l --full --failed --all -a -q --quiet --user --system", "-n --lines -t --type --state -p "
                "--property -o --output")  # fmt: skip
    options = read_options(call.arguments, spec)
    verb = options.rest[0].text if options and options.rest else ""
    if options is not None and (verb in reads or (not verb and options.has("--failed", "--all", "--type", "--state"))):
        return read(f"systemctl {verb}".rstrip() + " only reads")
    if verb in {"poweroff", "reboot", "halt", "kexec", "rescue", "emergency", "isolate", "kill"}:
        return destructive(f"systemctl {verb} stops more than it names")
    return change(f"systemctl {verb}".rstrip() + " is not known to only read")


def service(call: Call) -> Classification:
    words = [word.text for word in call.arguments]
    if len(words) == 2 and words[1] == "status" and call.arguments[0].known and not words[0].startswith("-"):
        return read("service status only reads")
    return change("service is not known to only read here")


def git(call: Call) -> Classification:
    options = read_options(call.arguments, Spec("--no-pager", "-C", stops=True))
    words = options.rest if options else ()
    verb = words[0].text if words else ""
    harmful = ("--output", "-o", "--ext-diff", "--textconv", "-O", "--open-files-in-pager")
    if any(word.splits or word.text.startswith(harmful) for word in words):
        verb = ""
    if verb in {"status", "log", "show", "diff", "rev-parse", "describe", "blame", "shortlog"}:
        return read(f"git {verb} only reads")
    return change(f"git {verb}".rstrip() + " is not known to only read")


def _verb(call: Call, spec: Spec) -> str:
    options = read_options(call.arguments, spec)
    return options.rest[0].text if options and options.rest and not options.rest[0].splits else ""
