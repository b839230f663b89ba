"""What to say beside a mitigation: what to watch after it, how to take it back, what to do when it fails."""

from __future__ import annotations

import re

from tocsin.runbook.model import Purpose, Runbook

_SCALE = re.compile(r"--replicas[= ]\S+")
_ROLLOUT = re.compile(r"\brollout\s+(undo|restart|pause|resume)\b")
_INVERSE = {"pause": "resume", "resume": "pause", "cordon": "uncordon", "uncordon": "cordon"}


def watch(runbook: Runbook) -> str:
    """The runbook's own step to look at afterwards, e.g. `Verify: Monitor for 15-30 minutes`; empty without one."""
    for found in runbook.purpose(Purpose.VERIFICATION):
        step = next((s for s in found.steps if s.poll or s.window), None) or next(iter(found.steps), None)
        if step is not None:
            return f"{found.title}: {step.title}"
    return ""


def undo(command: str, *, replicas: int | None = None) -> str:
    """How to take the command back, in words; says so when nothing does. `replicas` is how many there are before it."""
    text = " ".join(command.split())
    rollout = _ROLLOUT.search(text)
    if rollout and rollout[1] == "undo":
        return f"the same once more goes back to the version that runs now: {text}"
    if rollout and rollout[1] == "restart":
        return "a restart has no undo"
    if re.search(r"\bscale\b", text) and _SCALE.search(text):
        if replicas is None:
            return "scale back to the number of replicas there were before: note it first"
        return f"scale back to the {replicas} there are now: {_SCALE.sub(f'--replicas={replicas}', text)}"
    word = rollout[1] if rollout else next((w for w in _INVERSE if re.search(rf"\bkubectl\b.*\s{w}\s", text)), "")
    if word:
        return f"its inverse: {re.sub(rf'(?<![-/]){word}(?= )', _INVERSE[word], text, count=1)}"
    return "no undo is known"


def after_failure(undo_hint: str) -> str:
    """What a person does now that a mitigation has failed; the incident stays in mitigation."""
    back = "" if undo_hint in ("", "no undo is known", "a restart has no undo") else f" To take it back: {undo_hint}."
    return f"Read its output, then propose another mitigation, or escalate.{back}"
