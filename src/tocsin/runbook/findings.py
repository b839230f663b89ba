"""The catalogue of what the checker can say of a document, and how a finding is made.

R0xx are about severities and the document's structure, R1xx about escalation, R2xx about communication, R3xx about
procedures and mitigations, R4xx about what follows an incident. Sxxx come from `tocsin.runbook.shell`.
"""

from __future__ import annotations

from msgspec import Struct

from tocsin.runbook.model import Finding, Level


class Code(Struct, frozen=True):
    """One kind of finding. `explanation` says why it matters and what to write instead."""

    code: str
    level: Level
    title: str
    explanation: str


NO_SEVERITIES = Code(
    "R001",
    Level.ERROR,
    "no severity levels found",
    "Every clock of an incident starts from its severity. Write a table with one row for each level: "
    "`| Severity | Description | Response Time | Examples |`.",
)
NO_RESPONSE_TIME = Code(
    "R002",
    Level.WARNING,
    "a severity has no response time",
    "Without a measured time (`15 minutes`, `Immediate`, `< 1 hour`) nobody's acknowledgement is late. Calendar "
    "wording such as `next business day` is kept as text and starts no clock.",
)
SEVERITY_TWICE = Code(
    "R003",
    Level.WARNING,
    "a severity is defined twice",
    "The first definition is used. Keep one table of levels so that nobody has to ask which one holds.",
)
UNKNOWN_SEVERITY = Code(
    "R004",
    Level.WARNING,
    "a severity is used but not defined",
    "The entry cannot take effect, because no incident can have that severity. Define the level or correct its name.",
)
RANGE = Code(
    "R005",
    Level.INFO,
    "a response time is a range",
    "Of `15-30 min` the upper end is the deadline that is kept. Write a single time when the lower one is meant.",
)
CONTRADICTED = Code(
    "R006",
    Level.WARNING,
    "the same thing is said twice, and differently",
    "A level's response time or escalation is written in two places that do not agree, in this document or in one that "
    "it links to. The first one is used; nobody can tell which was meant. Say it once, and point to it.",
)
WEIGHED = Code(
    "R007",
    Level.INFO,
    "a matrix of impact and urgency is left to a person",
    "Tocsin opens an incident with the severity that its alert, or a person, gives it, and computes none. The matrix "
    "stays in the document for whoever decides.",
)
ESCAPED_FENCE = Code(
    "R014",
    Level.WARNING,
    "a code fence whose marks are escaped",
    "With a backslash before each mark a line opens no fence: what follows is text, and nothing in it can be run or "
    "sent. Take the backslashes out.",
)
NOT_A_TABLE = Code(
    "R010",
    Level.ERROR,
    "a table that Markdown does not take for one",
    "The header and the line of dashes below it must have the same number of cells; otherwise all of it is one "
    "paragraph.",
)
SURPLUS_CELLS = Code(
    "R011",
    Level.WARNING,
    "a table row has more cells than its header",
    "What stands beyond the last column is dropped by every Markdown reader. Write a `|` inside a cell as `\\|`.",
)
CUT_COMMAND = Code(
    "R012",
    Level.ERROR,
    "an unescaped `|` cuts a command in a table",
    "A pipe ends the cell even between backticks, so only a stump of the command is left. It is not read as a command "
    "at all. Write the pipe as `\\|`, or move the command to a fence.",
)
OPEN_FENCE = Code(
    "R013",
    Level.WARNING,
    "a code fence is never closed",
    "Everything after it is taken for code. Close it with the same marks on a line of their own.",
)
NO_ESCALATION = Code(
    "R101",
    Level.WARNING,
    "no escalation found",
    "Built-in default: the On-call role is paged when the incident opens, and nobody after it. Write a table with the "
    "severities as rows and times as columns: `| Severity | 15 min | 30 min |`.",
)
UNTIMED_RUNG = Code(
    "R102",
    Level.WARNING,
    "an escalation without a time",
    "A rung nobody can time pages nobody. Put the time into the column's header: `Escalation (15 min)`.",
)
NO_CADENCE = Code(
    "R201",
    Level.WARNING,
    "no update cadence found",
    "Built-in default: nobody is reminded to post an update. Write, in the section on communication, "
    "`- Every 30 min: During SEV1/SEV2`.",
)
NO_TEMPLATES = Code(
    "R202",
    Level.WARNING,
    "no message templates found",
    "Built-in default: Tocsin's own short messages. Write each template in a fence below a bold label, e.g. "
    "`**Initial Alert:**`, in a section whose heading speaks of communication or templates.",
)
NO_PROCEDURES = Code(
    "R301",
    Level.INFO,
    "no procedures with commands found",
    "Built-in default: none, so that no assessment runs by itself. Write commands into ```` ```bash ```` fences.",
)
NO_ENVIRONMENT = Code(
    "R302",
    Level.WARNING,
    "environment not established",
    "The commands rely on a variable that another section exports; whoever starts here asks the wrong cluster or none. "
    "Repeat the `export` in this fence. Tocsin carries it along.",
)
CHANGE_BY_ITSELF = Code(
    "R303",
    Level.WARNING,
    "a change stands in a section that runs by itself",
    "Assessment and verification run without being asked. A step that may change production waits for an approval "
    "there, so keep it under mitigation.",
)
POINTS_ELSEWHERE = Code(
    "R304",
    Level.INFO,
    "an action points to another document",
    "It has no command of its own; the responder is sent to the document named.",
)
POINTS_NOWHERE = Code(
    "R305",
    Level.WARNING,
    "an action names a document that is not linked",
    "No link of the document bears that name, so the responder has to search for it. Link it: "
    "`See [Database Recovery](./database-recovery.md)`.",
)
NO_COMMAND = Code(
    "R306",
    Level.INFO,
    "an action without a command",
    "It can be noted as done, and is never run. Write the command between backticks or below the leaf.",
)
BROKEN_TREE = Code(
    "R307",
    Level.WARNING,
    "a decision tree that cannot be walked",
    "Each question needs exactly one `Yes →` and one `No →` branch, drawn further right than the question's own "
    "branch.",
)
SQL_IN_SHELL = Code(
    "R308",
    Level.WARNING,
    "SQL in a shell fence",
    "No shell understands a statement of SQL, so the step is shown to a person and never run. Hand it to its client, "
    'e.g. `psql -c "SELECT ..."`, or put it into a ```` ```sql ```` fence.',
)
NOT_RUN = Code(
    "R309",
    Level.INFO,
    "commands in a language that is not run",
    "Only shell fences are run. What is written for another interpreter is left to a person; a command that is the "
    "same in a shell can stand in a ```` ```bash ```` fence.",
)
NO_CHECKLIST = Code(
    "R401",
    Level.INFO,
    "no verification checklist found",
    "Built-in default: an incident is resolved on a person's word. Write `- [ ] ...` items under a heading that "
    "speaks of verification.",
)
NO_POST_INCIDENT = Code(
    "R402",
    Level.INFO,
    "no post-incident deadlines found",
    "Built-in default: none. Put the deadline into the heading: `### Immediate (Within 24 hours)`.",
)
BROKEN_LINK = Code(
    "R403",
    Level.WARNING,
    "a link leads nowhere",
    "The file does not exist beside the document. Somebody will follow it at three in the morning.",
)

CATALOGUE: tuple[Code, ...] = (
    NO_SEVERITIES,
    NO_RESPONSE_TIME,
    SEVERITY_TWICE,
    UNKNOWN_SEVERITY,
    RANGE,
    CONTRADICTED,
    WEIGHED,
    NOT_A_TABLE,
    SURPLUS_CELLS,
    CUT_COMMAND,
    OPEN_FENCE,
    ESCAPED_FENCE,
    NO_ESCALATION,
    UNTIMED_RUNG,
    NO_CADENCE,
    NO_TEMPLATES,
    NO_PROCEDURES,
    NO_ENVIRONMENT,
    CHANGE_BY_ITSELF,
    POINTS_ELSEWHERE,
    POINTS_NOWHERE,
    NO_COMMAND,
    BROKEN_TREE,
    SQL_IN_SHELL,
    NOT_RUN,
    NO_CHECKLIST,
    NO_POST_INCIDENT,
    BROKEN_LINK,
)


def at(code: Code, place: tuple[int, int], message: str, hint: str = "") -> Finding:
    """The finding of that kind at (line, column), both from 1."""
    return Finding(code.code, code.level, place[0], place[1], message, hint)


def absent(code: Code) -> Finding:
    """The finding that a whole part is missing: at the top, with the catalogue's words as the hint."""
    return Finding(code.code, code.level, 1, 1, code.title, code.explanation)
