"""Rules for kubectl and oc. Source: the kubectl reference; what is not listed as reading changes something."""

from __future__ import annotations

from collections.abc import Sequence

from tocsin.runbook.shell.model import Classification
from tocsin.runbook.shell.verdicts import Call, change, destructive, is_read, read
from tocsin.runbook.shell.words import PLACE, UNKNOWN, Word

_VALUED = {
    "-n", "--namespace", "--context", "--cluster", "--user", "--kubeconfig", "-s", "--server", "--token", "--as",
    "--as-group", "--as-uid", "--certificate-authority", "--client-certificate", "--client-key", "--request-timeout",
    "--tls-server-name", "-v", "--v",
}  # fmt: skip
_FLAGS = {"--insecure-skip-tls-verify", "--match-server-version", "--warnings-as-errors", "--disable-compression"}
_VALUED_AFTER = _VALUED | {
    "-o", "--output", "-l", "--selector", "--field-selector", "--sort-by", "-c", "--container", "--since",
    "--since-time", "--tail", "--template", "--chunk-size", "-L", "--label-columns", "--for", "--types", "--timeout",
    "--revision", "--subresource", "--limit-bytes", "--max-log-requests", "--pod-running-timeout", "--api-version",
    "--api-group", "--verbs",
}  # fmt: skip
_EXEC_OPTIONS = {"-i", "-t", "-it", "-ti", "--stdin", "--tty", "-n", "--namespace", "-c", "--container", "-q"}
_READS = {"logs", "top", "events", "version", "api-resources", "api-versions", "explain", "wait", "options", "help"}
_SUB_READS = {
    "rollout": {"status", "history"},
    "config": {"view", "current-context", "get-contexts", "get-clusters", "get-users"},
    "auth": {"can-i", "whoami"},
    "plugin": {"list"},
    "cluster-info": set(),
}
_REVERSIBLE = {"scale", "cordon", "uncordon"}
_REVERSIBLE_ROLLOUTS = {"restart", "undo", "pause", "resume"}
_DESTRUCTIVE = {"delete", "drain", "apply", "patch", "edit", "set", "replace", "attach", "cp", "debug", "taint", "run"}
_WRITES_FILES = ("--profile", "--profile-output", "--cache-dir", "--output-directory", "--log-file", "--log-dir")


def kubectl(call: Call) -> Classification:
    """The class of a kubectl call; flags may stand before the verb."""
    words = list(call.arguments)
    if any(word.text.split("=", 1)[0] in _WRITES_FILES for word in words):
        return _unclear(call, "an option of it writes files")
    index = _verb_index(words)
    if index is None:
        return _unclear(call, "its verb cannot be told from the text")
    if index == len(words):
        return read("kubectl without a verb prints its help")
    verb, rest = words[index].text, words[index + 1 :]
    if verb == "exec":
        return _exec(call, rest)
    return _by_verb(call, verb, rest)


def _by_verb(call: Call, verb: str, rest: Sequence[Word]) -> Classification:
    if verb in ("get", "describe"):
        return _get(verb, rest)
    if verb in _READS:
        return read(f"kubectl {verb} only reads")
    if verb in _DESTRUCTIVE:
        return destructive(f"kubectl {verb} changes or removes objects for good")
    if verb in _REVERSIBLE:
        return change(f"kubectl {verb} changes production; it can be turned back")
    if verb in _SUB_READS:
        return _sub(verb, rest)
    return _unclear(call, f"kubectl {verb} is not known to only read")


def _sub(verb: str, rest: Sequence[Word]) -> Classification:
    words = _positionals(rest)
    sub = words[0].text if words else ""
    if verb == "config" and any(word.text.startswith("--raw") for word in rest):
        return change("kubectl config view --raw shows credentials")
    if sub in _SUB_READS[verb] or (verb == "cluster-info" and not words and not any(w.splits for w in rest)):
        return read(f"kubectl {verb} {sub}".rstrip() + " only reads")
    if verb == "rollout" and sub in _REVERSIBLE_ROLLOUTS:
        return change(f"kubectl rollout {sub} changes production; it can be turned back")
    if verb == "auth":
        return destructive("kubectl auth changes permissions")
    return change(f"kubectl {verb} {sub}".rstrip() + " is not known to only read")


def _get(verb: str, rest: Sequence[Word]) -> Classification:
    if any(word.text.startswith(("--raw", "-f", "--filename", "-k", "--kustomize", "-R")) for word in rest):
        return change(f"what kubectl {verb} asks for is not named in the text")
    words = _positionals(rest)
    if not words:
        return change(f"what kubectl {verb} asks for is not named in the text")
    kinds = [part for word in words for part in word.text.lower().split(",")]
    if any(kind.startswith("secret") for kind in kinds):
        return change("it shows secrets")
    named = [part for word in words for part in word.text.split(",") if word is words[0] or "/" in word.text]
    if any(UNKNOWN in part or PLACE in part for part in (kind.split("/", 1)[0] for kind in named)):
        return change(f"kubectl {verb} of a kind that only running it tells; it may be secrets")
    return read(f"kubectl {verb} only reads")


def _exec(call: Call, rest: Sequence[Word]) -> Classification:
    """Classes by the inner command; what does not only read there may do anything to the container."""
    inner = _inner(rest)
    if not inner:
        return destructive("kubectl exec opens a shell in a container")
    verdict = call.judge(inner)
    if is_read(verdict):
        return read(f"inside the container, {verdict.reason}")
    return destructive(f"kubectl exec runs it in a container: {verdict.reason}")


def _inner(rest: Sequence[Word]) -> list[Word]:
    texts = [word.text for word in rest]
    if "--" in texts:
        head = rest[: texts.index("--")]
        # An unquoted variable may bring its own "--"; a second word may be a command of its own.
        if any(word.splits for word in head) or len(_positionals(head)) > 1:
            return []
        return list(rest[texts.index("--") + 1 :])
    options = {word.text for word in rest if word.text.startswith("-")}
    if any(word.splits for word in rest) or not options <= _EXEC_OPTIONS:
        return []
    return _positionals(rest)[1:]


def _verb_index(words: Sequence[Word]) -> int | None:
    """Where the verb stands; the end when there is none, None when it cannot be told."""
    index = 0
    while index < len(words):
        word = words[index]
        name, equals, _ = word.text.partition("=")
        if word.splits or word.text.startswith((UNKNOWN, PLACE)) or word.text == "--":
            return None
        if not word.text.startswith("-"):
            return index
        if name in _FLAGS or (name in _VALUED and equals) or _attached(word.text):
            index += 1
        elif name in _VALUED and index + 1 < len(words) and not words[index + 1].splits:
            index += 2
        elif name in ("-h", "--help"):
            return len(words) if len(words) == 1 else None
        else:
            return None
    return index


def _attached(text: str) -> bool:
    return text[:2] in ("-n", "-s", "-v") and len(text) > 2


def _positionals(rest: Sequence[Word]) -> list[Word]:
    """The words that are neither options nor the value of one known to take one."""
    found: list[Word] = []
    skip = False
    for word in rest:
        if skip:
            skip = False
        elif word.text.startswith("-"):
            skip = word.text in _VALUED_AFTER
        else:
            found.append(word)
    return found


def _unclear(call: Call, reason: str) -> Classification:
    destroys = sorted(_DESTRUCTIVE.intersection(word.text for word in call.arguments))
    if destroys:
        return destructive(f"kubectl {destroys[0]} changes or removes objects for good")
    return change(f"it is not known to only read: {reason}")
