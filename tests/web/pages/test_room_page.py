"""What the incident room shows."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from tocsin.engine.ports import DeliveryError
from tocsin.incident import events as e

ROOM = "/incidents/1"
EVIL = '"><script>alert(1)</script>{{ 7*7 }}\u202egnp'


async def turn(site: Any) -> None:
    """The engine does everything that is owed now."""
    await site.house.start()
    try:
        for _ in range(400):
            counts = await site.house.core.read(lambda tx: tx.work_counts())
            if not counts.get("pending") and not counts.get("leased"):
                return
            await asyncio.sleep(0.01)
    finally:
        await site.house.stop()


async def test_an_open_incident_asks_for_an_owner_and_counts_down(site: Any, browse: Any, shown: Any) -> None:
    await site.declare(service="backend")
    page = await (await browse()).get(ROOM)
    text = shown(page)
    assert "Next: Acknowledge" in text
    assert "nobody yet" in text
    assert 'data-due="2026-01-05T03:05:00+00:00"' in page.text
    assert "Pages On-call Ana" in text


async def test_the_assessments_steps_are_shown_with_what_they_gave(site: Any, browse: Any, shown: Any) -> None:
    site.runner.outcomes["List the pods"] = "unhealthy"
    await site.declare(service="backend")
    await turn(site)
    ana = await browse()
    page = await ana.get(ROOM)
    assert "6 of 6 steps done, 1 found a problem" in shown(page)
    evidence = re.search(r'href="(/incidents/1/evidence/\w+)"', page.text)
    assert evidence is not None
    assert "curl -s http://qawave.example/health" in shown(await ana.get(evidence[1]))
    assert "<html" not in (await ana.get(f"{evidence[1]}?part=1")).text


async def test_evidence_of_another_incident_is_not_found(site: Any, browse: Any) -> None:
    await site.declare(service="backend")
    await site.declare(title="Another", service="frontend")
    await turn(site)
    ana = await browse()
    evidence = re.search(r"/incidents/1/evidence/(\w+)", (await ana.get(ROOM)).text)
    assert evidence is not None
    assert (await ana.get(f"/incidents/2/evidence/{evidence[1]}")).status_code == 404


async def test_people_no_channel_reached_are_to_be_called(site: Any, browse: Any, shown: Any) -> None:
    site.channel.fails_on = "page"
    site.channel.fail = [DeliveryError("no such mailbox", permanent=True)]
    await site.declare()
    await turn(site)
    text = shown(await (await browse()).get(ROOM))
    assert "Call by hand" in text
    assert "not delivered: recording: no such mailbox" in text


async def test_what_the_postmortem_asks_for_can_be_recorded(site: Any, browse: Any) -> None:
    await site.declare()
    page = await (await browse()).get(ROOM)
    asked = re.findall(r"records it as (\w+)", (await (await browse()).get("/postmortem/1")).text)
    assert len(asked) >= 5
    for name in asked:
        assert f'name="fact:{name}"' in page.text


async def test_hostile_text_is_escaped_and_loses_its_tricks(site: Any, browse: Any) -> None:
    await site.declare(title=EVIL, service=EVIL, summary=EVIL)
    ana = await browse()
    await ana.send(f"{ROOM}/note", text=EVIL)
    for path in ("/", ROOM, "/postmortem/1", "/status"):
        text = (await ana.get(path)).text
        assert "<script>alert" not in text, path
        assert "49gnp" not in text, path
        assert "\u202e" not in text, path


async def test_the_newest_lines_come_first_and_the_rest_on_request(site: Any, browse: Any) -> None:
    incident = await site.declare()
    notes = [e.Noted(f"note {n}") for n in range(1000)]
    await site.house.core.append(incident["id"], notes)
    ana = await browse()
    page = await ana.get(ROOM)
    seqs = [int(s) for s in re.findall(r'data-seq="(\d+)"', page.text)]
    assert len(seqs) == 200
    assert seqs == sorted(seqs, reverse=True)
    earlier = re.search(r'href="(/incidents/1/timeline\?before=\d+)"', page.text)
    assert earlier is not None
    older = [int(s) for s in re.findall(r'data-seq="(\d+)"', (await ana.get(earlier[1])).text)]
    assert older[0] == seqs[-1] - 1


async def test_the_first_lines_have_no_earlier_ones(site: Any, browse: Any) -> None:
    await site.declare()
    assert "timeline?before=" not in (await (await browse()).get(ROOM)).text


async def test_a_page_is_given_only_the_lines_it_lacks(site: Any, browse: Any) -> None:
    incident = await site.declare()
    ana = await browse()
    await ana.send(f"{ROOM}/note", text="new line")
    fresh = await ana.get(f"{ROOM}/parts", **{"Tocsin-After": str(incident["version"])})
    assert re.findall(r'data-seq="(\d+)"', fresh.text) == [str(incident["version"] + 1)]
    assert 'id="flash"' not in fresh.text


async def test_a_part_keeps_its_digest_until_it_changes(site: Any, browse: Any) -> None:
    await site.declare()
    ana = await browse()
    before = _digests((await ana.get(ROOM)).text)
    site.clock.move(seconds=30)
    assert _digests((await ana.get(ROOM)).text) == before
    await ana.send(f"{ROOM}/tick", item="verification-checklist/1", done="1")
    after = _digests((await ana.get(f"{ROOM}/parts")).text)
    assert {name for name in before if before[name] != after[name]} == {"end"}


async def test_an_unknown_incident_is_a_friendly_page(site: Any, browse: Any, shown: Any) -> None:
    answer = await (await browse()).get("/incidents/999")
    assert answer.status_code == 404
    assert "Nothing here" in shown(answer)


def _digests(text: str) -> dict[str, str]:
    return dict(re.findall(r'id="([\w-]+)" data-digest="(\w+)"', text))
