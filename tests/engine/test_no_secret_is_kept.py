"""Secrets that steps print reach no database, timeline, stream or postmortem."""

from __future__ import annotations

import json
from collections.abc import MutableMapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from engines import ANA, Plant, World, alert, document, e, policy
from msgspec.structs import replace

from tocsin.engine.live import News, Said
from tocsin.procedures.adapter import StepRunner
from tocsin.procedures.runner import Runner, Settings
from tocsin.review.postmortem import as_markdown, postmortem
from tocsin.runbook.model import Purpose, Runbook
from tocsin.runbook.shell import split_fence

JWT = ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJh", "bmEifQ.c2lnbmF0dXJlLW9mLWFuYQ")
PEM = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC"
SECRETS = [
    "".join(JWT),
    JWT[1],
    PEM,
    "opaque-bearer-4711",
    "hunter2-in-a-url",
    "hunter2-in-a-variable",
    "AKIAIOSFODNN7EXAMPLE",
]
PRINTED = {
    "token-begins": f"token {JWT[0]}",
    "token-ends": f"{JWT[1]}\n",
    "key-begins": "-----BEGIN PRIVATE KEY-----\n",
    "key-ends": f"{PEM}\n-----END PRIVATE KEY-----\n",
    "header": "Authorization: Bearer opaque-bearer-4711\n",
    "several": "postgres://app:hunter2-in-a-url@db/app\nDB_PASSWORD=hunter2-in-a-variable\nkey AKIAIOSFODNN7EXAMPLE\n",
    "last": "password=hunter2-in-a-variable\n",
}
STEPS = """# A token in two pieces
cat {0}/token-begins; sleep 0.1; cat {0}/token-ends

# A private key in two pieces
cat {0}/key-begins; sleep 0.1; cat {0}/key-ends

# A header
cat {0}/header >&2

# An address, a variable and a key
cat {0}/several

# A last line that fails
cat {0}/last >&2; false
"""


def telling(folder: Path) -> Runbook:
    """The example runbook with an assessment that prints every secret."""
    for name, text in PRINTED.items():
        (folder / name).write_text(text)
    steps = split_fence(STEPS.format(folder), line=1).steps
    found = document()
    procedures = (replace(p, steps=steps) if p.purpose is Purpose.ASSESSMENT else p for p in found.procedures)
    return replace(found, environment=(), procedures=tuple(procedures))


def stored(database: Path) -> str:
    """Everything in the database's files."""
    return "".join(f.read_bytes().decode("latin-1") for f in database.parent.glob(f"{database.name}*"))


async def test_none_of_them_is_kept_shown_or_told(
    world: World, said: list[MutableMapping[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("secrets")
    runner = StepRunner(Runner(Settings(timeout=timedelta(seconds=20))))
    plant = Plant(world.store, world.clock, (world.mail,), runner, policy(telling(folder)))
    await plant.desk.receive([alert()])
    incident = await plant.desk.incident("1")
    heard: list[News] = []
    viewer = plant.desk.follow_run(incident, "1")
    await plant.engine.step()
    async for news in viewer:
        heard.append(news)
    await plant.turn()
    await plant.desk.acknowledge("1", ANA, via="web")
    incident = await plant.desk.incident("1")
    assert len(await plant.events(e.StepFinished)) == 5
    evidence = await plant.desk.evidence_of("1")
    timeline = await plant.desk.timeline("1")
    written = as_markdown(postmortem(incident, timeline, plant.policy.runbook, now=world.clock.now()))
    told = "".join(n.text for n in heard if isinstance(n, Said))
    outputs = json.dumps([(x.stdout, x.stderr, x.reason) for x in evidence])
    everything = [
        stored(world.path),
        outputs,
        told,
        repr(timeline),
        written,
        repr(said),
        repr([m.text for m in world.mail.messages]),
    ]
    assert "[redacted" in outputs
    assert "[redacted" in told
    assert "[redacted" in everything[0]
    assert [s for s in SECRETS for text in everything if s in text] == []
