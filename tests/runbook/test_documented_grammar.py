"""Every example of the page on writing runbooks is read as the page says."""

import re
from pathlib import Path

import pytest

from tocsin.runbook.reader import read

PAGE = Path(__file__).resolve().parents[2] / "docs" / "writing-a-runbook.md"
EXAMPLE = re.compile(
    r"^<!-- (?P<part>\w+): (?P<count>\d+) -->\n(?P<marks>`{3,})markdown\n(?P<text>.*?)\n(?P=marks)$", re.M | re.S
)
EXAMPLES = [
    pytest.param(found["part"], int(found["count"]), found["text"], id=f"{number}-{found['part']}")
    for number, found in enumerate(EXAMPLE.finditer(PAGE.read_text(encoding="utf-8")))
]


@pytest.mark.parametrize(("part", "count", "text"), EXAMPLES)
def test_an_example_is_read_as_the_page_says(part: str, count: int, text: str) -> None:
    found = getattr(read(text, file="runbook.md").runbook, part)
    assert (len(found) if isinstance(found, tuple) else int(found is not None)) == count


def test_the_page_has_an_example_of_every_part() -> None:
    parts = {str(example.values[0]) for example in EXAMPLES}
    assert parts == {
        "severities",
        "escalation",
        "update_cadence",
        "templates",
        "procedures",
        "mitigations",
        "decision_tree",
        "checklists",
        "post_incident",
    }
