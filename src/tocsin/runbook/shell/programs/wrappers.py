"""Rules for programs that run another one: the inner command decides."""

from __future__ import annotations

import re

from tocsin.runbook.shell.model import Classification
from tocsin.runbook.shell.options import Spec, read_options
from tocsin.runbook.shell.verdicts import Call, by_words, change, read
from tocsin.runbook.shell.words import UNKNOWN, Word

_SPECS = {
    "sudo": Spec("-n -E -H -S -k --non-interactive --preserve-env", "-u -g --user --group", stops=True),
    "doas": Spec("-n", "-u", stops=True),
    "time": Spec("-p -v", "", stops=True),
    "timeout": Spec("--foreground --preserve-status -v --verbose", "-k -s --kill-after --signal", stops=True),
    "nohup": Spec(stops=True),
    "nice": Spec("", "-n --adjustment", stops=True),
    "ionice": Spec("-t", "-c -n", stops=True),
    "stdbuf": Spec("", "-i -o -e --input --output --error", stops=True),
    "command": Spec("-p", "", stops=True),
    "builtin": Spec(stops=True),
    "exec": Spec("-c -l", "", stops=True),
    "env": Spec("-i -0 --ignore-environment", "-u --unset", stops=True),
    "xargs": Spec("-0 -r -t --null --no-run-if-empty --verbose -x",
                  "-n -P -L -I -d -s -E --max-args --max-procs --delimiter", stops=True),
    "watch": Spec("-d -t -b -e -g -c -x -p -w --differences --no-title --beep --errexit --chgexit --color --exec "
                  "--precise --no-wrap", "-n --interval", stops=True),
}  # fmt: skip
_SHELL_FLAG = re.compile(r"-[leuxvf]+|--(?:login|norc|noprofile|posix)")
_SHELL_TEXT = re.compile(r"-[leuxvf]*c")
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=")
_STEERS = re.compile(
    r"PATH|ENV|BASH_ENV|BASH_FUNC.*|SHELLOPTS|BASHOPTS|PROMPT_COMMAND|PS4|HOME|EDITOR|VISUAL|PAGER|KUBE_EDITOR"
    r"|KUBECTL_EXTERNAL_DIFF|CURL_HOME|PSQLRC|PGSYSCONFDIR|PGSERVICEFILE|PGOPTIONS|LESSOPEN|LESSCLOSE|XDG_.*|LD_.*"
    r"|DYLD_.*|GIT_.*|PYTHON.*|PERL.*|RUBY.*|NODE_.*|JAVA_TOOL_OPTIONS|MYSQL_.*|HELM_.*|WGETRC|SYSTEM_WGETRC"
    r"|DOCKER_CONFIG|AWS_CONFIG_FILE|TERRAFORM_CONFIG|TF_CLI.*"
)


def steers(variable: str) -> bool:
    """Whether setting the variable can make a harmless program run or read something else."""
    return bool(_STEERS.fullmatch(variable))


def wrapper(call: Call) -> Classification:
    """The inner command's class; alone or with an option not known here, a wrapper is a change."""
    if call.program == "command" and call.arguments[:1] and call.arguments[0].text in ("-v", "-V"):
        return read("it only looks for a program")
    options = read_options(call.arguments, _SPECS[call.program])
    if options is None:
        return _worse_of(call, f"this call of {call.program} is not known to only read")
    inner = list(options.rest)
    if call.program == "timeout":
        inner = inner[1:]
    if call.program in ("env", "sudo"):
        return _environment(call, inner)
    if not inner:
        return change(f"{call.program} without a command is not known to only read")
    return call.judge(inner)


def _environment(call: Call, inner: list[Word]) -> Classification:
    while inner and (found := _ASSIGNMENT.match(inner[0].text)):
        if steers(found[1]):
            return _worse_of(call, f"it sets {found[1]}, which can make other programs run")
        inner = inner[1:]
    if inner:
        return call.judge(inner)
    return (
        read("it prints the environment") if call.program == "env" else change("sudo without a command opens a shell")
    )


def xargs(call: Call) -> Classification:
    """The inner command's class with words appended that only running it tells."""
    options = read_options(call.arguments, _SPECS["xargs"])
    if options is None:
        return _worse_of(call, "this call of xargs is not known to only read")
    inner = list(options.rest) or [Word("echo")]
    marks = [word.text for word in options.values("-I")]
    if marks:
        return call.judge(
            [Word(word.text.replace(marks[0], UNKNOWN)) if marks[0] in word.text else word for word in inner]
        )
    return call.judge([*inner, Word(UNKNOWN, splits=True)])


def watch(call: Call) -> Classification:
    """The class of what is repeated: `watch` hands its words to a shell."""
    options = read_options(call.arguments, _SPECS["watch"])
    if options is None or not options.rest or not all(word.known for word in options.rest):
        return _worse_of(call, "what watch repeats is not all in the text")
    if options.has("-x", "--exec"):
        return call.judge(options.rest)
    return call.judge_text(" ".join(word.text for word in options.rest))


def shell(call: Call) -> Classification:
    """The class of the text of `sh -c`; a script in a file or on standard input is not known."""
    words = list(call.arguments)
    while words and _SHELL_FLAG.fullmatch(words[0].text):
        words.pop(0)
    if [word.text for word in words[:2]] == ["-o", "pipefail"]:
        words = words[2:]
    # Not an option with a value: `-c` takes the first word that is no option, and `-cl` is two options.
    if len(words) < 2 or not _SHELL_TEXT.fullmatch(words[0].text) or not words[1].known or words[1].text[:1] in "-+":
        return _worse_of(call, f"what {call.program} runs is not all in the text")
    return call.judge_text(words[1].text)


def evaluate(call: Call) -> Classification:
    if not call.arguments or not all(word.known for word in call.arguments):
        return _worse_of(call, "what eval runs is not all in the text")
    return call.judge_text(" ".join(word.text for word in call.arguments))


def _worse_of(call: Call, reason: str) -> Classification:
    """A change for `reason`, or destructive when one of the words says so."""
    return by_words(" ".join(word.text for word in call.arguments), reason)
