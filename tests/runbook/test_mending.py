"""What `tocsin check --fix` mends, and what it leaves as it is."""

import pytest

from tocsin.runbook.mending import mend

PROMPTED = "```bash\n$ ls\n```\n"
SHOWN = "```bash\n$ ls\nREADME\n```\n"
TWICE = "```bash\nkubectl exec -it a -- ls; kubectl exec -it b -- ls\n```\n"


def test_a_mend_that_does_not_hold_keeps_no_other_back() -> None:
    text = f"# A\n\n{PROMPTED}\n{TWICE}\n{PROMPTED}"
    mended = mend(text, file="runbook.md")
    assert mended.text == text.replace("$ ls", "ls")
    assert [(found.code, found.line) for found in mended.mended] == [("S003", 4), ("S003", 12)]


def test_a_fence_that_shows_output_keeps_its_prompts() -> None:
    assert mend(f"# A\n\n{SHOWN}", file="runbook.md").mended == ()


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_every_line_keeps_its_end(ending: str) -> None:
    text = f"# A\n\n{PROMPTED}".replace("\n", ending)
    assert mend(text, file="runbook.md").text == text.replace("$ ls", "ls")


def test_lines_added_to_one_fence_do_not_move_the_mend_of_another() -> None:
    fences = ["export KUBECONFIG=a\nkubectl get ns", "kubectl get pods", "kubectl get nodes"]
    sections = ["# A", "## Assessment", *(f"## Part {n}" for n in range(2))]
    bodies = ["", *(f"```bash\n{fence}\n```" for fence in fences)]
    text = "\n\n".join(f"{title}\n\n{body}" for title, body in zip(sections, bodies, strict=True))
    mended = mend(text, file="runbook.md")
    assert [found.code for found in mended.mended] == ["R302", "R302"]
    assert mended.text.count("```bash\nexport KUBECONFIG=a\nkubectl") == 3
