"""What is scanned line by line says what the parser says, and asks it wherever a line could mean something else."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tocsin.runbook import commonmark
from tocsin.runbook.document import headed
from tocsin.runbook.scanning import Doubtful, scan

OPENINGS = """||||- |* |1. |2. |- [ ] |>|> |- >|# |## |```|```bash|~~~|````|---|***|- - -|==|<!--|-->|\
<div>|<name>|</div>|- <br>|<pre>|[x]|\
[x]: /y|**L:** v|- - |- 1. |-  |-     |1234567890. |+|-|\t|< 5|[|[x]("""
INSETS = st.sampled_from(["", "", "", " ", "  ", "   ", "    ", "      ", "\t"])
ENDINGS = st.sampled_from(["", "", "text", "a b", "  ", " #", "```", "\t", "\u00a0", "\\", "-->"])
TABLES = ["| a | b |", "|---|---|", "|:-|-:|", "| a", "--|--", "| \\| |", "| a | b |  ", "||"]
LINES = st.one_of(
    st.builds("{}{}{}".format, INSETS, st.sampled_from(OPENINGS.split("|")), ENDINGS),
    st.builds("{}{}".format, INSETS, st.sampled_from(TABLES)),
)
PLAIN = """# Title

Words
that go on

- >50% of users
- one
  goes on
  - inner

  ```bash
  ls | wc
  ```
1. [x] done
***
> said
> twice

| a | b |
|---|---|
| 1 | 2 | 3 |

<!-- not
shown -->
<details>
<summary>More</summary>

<service> has no end
```
as it stands
```"""


@given(st.lists(LINES, max_size=14))
@settings(max_examples=200, deadline=None)
@example(["# a | b", "|---|---|"])
@example(["> a", ">", ">", "", "b"])
@example(["- >50%", "- > b", "", "- >c", "d"])
@example(["- a", "---"])
@example(["- a", "  | b |", "  |---|", "  | c |"])
@example(["1. a", "2. b", "   3. c"])
@example(["-  a", "", " b"])
@example(["```bash\u2028x", "```"])
def test_a_scanned_document_is_the_parsed_one(lines: list[str]) -> None:
    written = tuple(lines)
    asked: commonmark.References = {}
    scanned: commonmark.References = {}
    assert list(headed(written, scanned)) == list(commonmark.headed(written, 0, len(written), asked))
    assert scanned.get("references", {}).keys() == asked.get("references", {}).keys()


def test_the_everyday_shapes_need_no_parser() -> None:
    lines = tuple(PLAIN.split("\n"))
    assert scan(lines, 0, len(lines)) == list(commonmark.headed(lines, 0, len(lines), {}))


@pytest.mark.parametrize(
    "text", ["<pre>", "- <div>", "    code", "\tcode", "[x]: /y", "- >50%\nof users", "- ", "```", "a | b\n---|---"]
)
def test_what_only_the_parser_can_tell_is_doubtful(text: str) -> None:
    lines = text.split("\n")
    with pytest.raises(Doubtful):
        scan(lines, 0, len(lines))
