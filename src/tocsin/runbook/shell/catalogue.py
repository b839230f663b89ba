"""What can be said of shell texts: codes S001 to S013, of which some numbers were never given out."""

from __future__ import annotations

from tocsin.runbook.findings import Code
from tocsin.runbook.model import Level

CATALOGUE: tuple[Code, ...] = (
    Code(
        "S001",
        Level.WARNING,
        "shell that cannot be understood",
        "What cannot be parsed cannot be judged, so it counts as a change and never runs by itself. Check quotes and "
        "brackets, or name another language at the fence when it is no shell.",
    ),
    Code(
        "S002",
        Level.WARNING,
        "a comment inside a continued command",
        "After a `\\` at the end of a line, a line that begins with `#` ends the command there; the arguments below it "
        "become a command of their own. Put the comment above the command.",
    ),
    Code(
        "S003",
        Level.INFO,
        "a prompt was taken off",
        "`$ ` in front of a command is not part of it. It is left out; write commands without a prompt.",
    ),
    Code(
        "S004",
        Level.WARNING,
        "a placeholder where no value is safe",
        "A value inside a text that a second interpreter reads (`sh -c`, `psql -c`, `awk`, `jq`, `ssh`) could become "
        "part of a program. The step cannot be given that value; make the placeholder an argument of its own.",
    ),
    Code(
        "S005",
        Level.INFO,
        "watch is run as a poll",
        "`watch` never ends. Its inner command is repeated at its interval, in a verification over the monitoring "
        "window.",
    ),
    Code(
        "S006",
        Level.WARNING,
        "an outdated name",
        "The program or its column was renamed or removed, so the command fails or answers nothing of use today. The "
        "finding says what to write.",
    ),
    Code(
        "S007",
        Level.INFO,
        "a placeholder is asked for",
        "`<pod-name>` is asked of the responder before the step runs. Pasted into a shell as it stands, it is two "
        "redirections.",
    ),
    Code(
        "S008",
        Level.INFO,
        "sample output left out",
        "In a fence whose commands carry prompts, lines without one are taken for output. Put output into a fence of "
        "its own.",
    ),
    Code(
        "S009",
        Level.INFO,
        "a command that asks for a terminal",
        "`exec -it` wants a terminal and a step has none; it runs without one. Leave out `-it`.",
    ),
    Code(
        "S010",
        Level.WARNING,
        "a command that never ends",
        "Following a log or watching an object goes on until the step's time-out stops it. Leave out the flag that "
        "follows, or make `watch` a step of its own.",
    ),
    Code(
        "S013",
        Level.INFO,
        "logs of one pod of many",
        "`kubectl logs deployment/x` reads a single pod of the workload; the error may be in another. Select all of "
        "them: `kubectl logs -l app=x --prefix`.",
    ),
)
