"""Filling a template: whose words are a blank, and which words are not."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tocsin.incident import commands, templates
from tocsin.incident.drill import START, Drill
from tocsin.runbook.model import Template

FACTS = {"severity": "SEV2", "title": "checkout [prod] down", "commander": "Ana", "impact": "all", "service": "shop"}


def filled(body: str, *fields: str, **facts: str) -> str:
    return templates.fill(Template("T", fields, body, 1), FACTS | facts).text


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("SEV[1-4]", "SEV2"),
        ("Severity: SEV[1-4]", "Severity: SEV2"),
        ("Severity: [SEV1/SEV2/SEV3]", "Severity: SEV2"),
        ("Severity: [level]", "Severity: SEV2"),
        ("IC: @[name]", "IC: @Ana"),
        ("IC: [name]", "IC: Ana"),
        ("Commander: [who]", "Commander: Ana"),
        ("[Service] is down", "shop is down"),
        ("Impact: [x users]", "Impact: all"),
        ("- [ ] checked\n- [x] done", "- [ ] checked\n- [x] done"),
        ("see [the docs](https://example.com)", "see [the docs](https://example.com)"),
        ("no blank at all", "no blank at all"),
    ],
)
def test_a_blank_is_filled_and_nothing_else_is_touched(body: str, text: str) -> None:
    assert filled(body) == text


def test_brackets_of_the_incident_itself_survive() -> None:
    assert filled("INCIDENT: [Brief description]") == "INCIDENT: checkout [prod] down"


def test_a_value_that_looks_like_a_blank_is_not_filled_again() -> None:
    assert filled("Impact: [who]", impact="[name] and @[name]") == "Impact: [name] and @[name]"


def test_a_blank_of_unknown_meaning_asks_under_its_label_or_its_own_words() -> None:
    template = Template("T", (), "Weather: [sunny or not]\n[favourite colour]", 1)
    assert templates.asks(template) == ("weather", "favourite_colour")
    assert templates.fill(template, FACTS).missing == ("weather", "favourite_colour")
    assert "[" not in templates.fill(template, FACTS).text


def test_a_blank_asked_for_twice_is_named_once() -> None:
    assert templates.asks(Template("T", (), "[Brief description] and [description]", 1)) == ("title",)


def test_other_brackets_are_blanks_only_where_the_document_says_so() -> None:
    body = "{service} <service> {json: 1} <b>"
    assert filled(body, "service") == "shop shop {json: 1} <b>"


def test_an_empty_value_counts_as_missing() -> None:
    assert templates.fill(Template("T", (), "Impact: [who]", 1), FACTS | {"impact": "  "}).missing == ("impact",)


def test_a_service_with_a_backslash_is_shown_as_it_is(drill: Drill) -> None:
    drill.open(service=r"back\1end")
    assert r"issues with back\1end." in drill.incident.public[0].text


def test_without_a_status_template_the_public_still_reads_a_sentence() -> None:
    assert templates.public_texts(None, "shop")["investigating"] == "We are investigating issues with shop."
    assert templates.public_title(None, "shop") == "shop experiencing issues"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59, "59 s"), (60, "1 min"), (3599, "59 min"), (3600, "1 h"), (7500, "2 h 5 min"), (90000, "1 d 1 h")],
)
def test_a_span_is_said_to_the_minute(seconds: int, words: str) -> None:
    assert templates.span(timedelta(seconds=seconds)) == words


def test_what_people_recorded_comes_before_what_the_incident_knows(drill: Drill) -> None:
    drill.open()
    drill.command(lambda i, ctx: commands.record_fact(i, ctx, name="title", text="payments down"))
    known = templates.facts(drill.incident, now=START, link="https://example.com/1")
    assert (known["title"], known["start"], known["number"]) == ("payments down", "2026-01-05 03:00 UTC", "1")
