import asyncio
import http.server
import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tocsin.procedures.results import Outcome, StepResult, digest
from tocsin.procedures.runner import Runner, Settings
from tocsin.runbook.model import Step
from tocsin.runbook.shell import read_command, split_fence

QUICK = Settings(timeout=timedelta(seconds=20), grace=timedelta(seconds=0.3))


def step(command: str) -> Step:
    (found,) = split_fence(command, line=1).steps
    return found


async def run(command: str, settings: Settings = QUICK, **values: str) -> StepResult:
    given = {name.replace("_", "-"): value for name, value in values.items()}
    return await Runner(settings).run_step(step(command), values=given)


def alive(pids: str) -> list[int]:
    """Those of the processes that still run (a zombie does not)."""
    states = {}
    for pid in map(int, pids.split()):
        stat = Path(f"/proc/{pid}/stat")
        states[pid] = stat.read_text().rpartition(")")[2].split()[0] if stat.exists() else "X"
    return [pid for pid, state in states.items() if state not in "ZX"]


def exists(path: str) -> bool:
    return Path(path).exists()


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


@pytest.fixture
def site() -> Iterator[str]:
    """An HTTP server: /503 answers 503, everything else 200."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(503 if self.path == "/503" else 200)
            self.end_headers()
            self.wfile.write(b"body\n")

        def log_message(self, format: str, *args: object) -> None:
            return

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


async def test_output_status_times_and_digest_come_back() -> None:
    result = await run("# Say\necho out; echo err >&2; exit 3")
    assert (result.title, result.exit_code, result.outcome) == ("Say", 3, Outcome.FAILED)
    assert (result.stdout, result.stderr, result.cut_bytes) == ("out\n", "err\n", 0)
    assert result.digest == digest("out\n", "err\n")
    assert result.started_at.tzinfo is UTC
    assert result.started_at <= result.ended_at


async def test_the_runners_clock_is_the_one_it_is_given() -> None:
    noon = datetime(2026, 1, 5, 12, tzinfo=UTC)
    result = await Runner(QUICK, now=lambda: noon).run_step(step("true"))
    assert (result.started_at, result.ended_at) == (noon, noon)


async def test_a_step_gets_no_input_no_terminal_and_a_scratch_folder_that_goes_away() -> None:
    result = await run("cat; pwd; umask; tty; touch here; ls -A | grep -v curlrc; echo $HOME")
    folder, mask, tty, *rest = result.stdout.splitlines()
    assert (mask, tty, rest) == ("0077", "not a tty", ["here", os.environ["HOME"]])
    assert not exists(folder)


async def test_only_allowed_variables_and_the_settings_reach_a_step() -> None:
    settings = Settings(environment={"FROM_SETTINGS": "yes"})
    inherited = {"PATH": os.environ["PATH"], "KUBECONFIG": "/k", "TOCSIN_TOKEN": "sesame"}
    result = await Runner(settings, inherited=inherited).run_step(step("env"))
    assert "FROM_SETTINGS=yes" in result.stdout
    assert "KUBECONFIG=/k" in result.stdout
    assert "TOCSIN_TOKEN" not in result.stdout


async def test_the_documents_exports_hold_for_a_later_step() -> None:
    result = await Runner(QUICK).run_step(step("echo $A-$B"), environment=["export A=one", 'export B="$A two"'])
    assert result.stdout == "one-one two\n"


async def test_variables_and_functions_carry_inside_one_step() -> None:
    assert (await run("x=1\nf() { echo $x; }\ncd /\nf; pwd")).stdout == "1\n/\n"


async def test_a_value_is_one_argument_and_never_code(tmp_path: Path) -> None:
    (tmp_path / "name").write_text("")
    command = f"cd {tmp_path}; printf '%s|' deployment/<name> -n production; ls"
    result = await run(command, name="backend")
    assert result.stdout == "deployment/backend|-n|production|name\n"


@pytest.mark.parametrize(
    "value", ["; touch evil", "$(touch evil)", "`touch evil`", "a\ntouch evil", "-n", "--kubeconfig=/x"]
)
@pytest.mark.parametrize("place", ["echo <text>", 'echo "<text>"', "echo '<text>'", "echo \\\n  <text>"])
async def test_an_injected_value_runs_nothing(tmp_path: Path, value: str, place: str) -> None:
    result = await run(f"cd {tmp_path}; {place}", text=value)
    assert result.outcome is Outcome.REFUSED
    assert "<text>: it " in result.reason
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    "command", ["sh -c 'echo <text>'", "cat <<EOF\n<text>\nEOF", 'echo "$(echo <text>)"', "eval echo <text>"]
)
async def test_a_value_where_none_is_safe_is_refused(command: str) -> None:
    result = await run(command, text="hello")
    assert (result.outcome, result.exit_code) == (Outcome.REFUSED, None)


async def test_a_missing_value_is_asked_for() -> None:
    assert "a value is needed" in (await run("kubectl logs <pod-name>")).reason


async def test_a_time_out_ends_the_whole_group_even_if_it_ignores_the_polite_signal() -> None:
    settings = Settings(timeout=timedelta(seconds=0.5), grace=timedelta(seconds=0.2))
    result = await run("trap '' TERM; sleep 60 & echo $! $$; sleep 60; sleep 60", settings)
    assert result.outcome is Outcome.TIMED_OUT
    assert "0.5 s" in result.reason
    assert alive(result.stdout) == []


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
async def test_children_left_behind_are_ended_with_the_step() -> None:
    result = await run(
        "sleep 60 & echo $!; (setsid sleep 61 & echo $!); nohup env -i sleep 62 >/dev/null 2>&1 & echo $!"
    )
    assert result.exit_code == 0
    assert len(result.stdout.split()) == 3
    assert alive(result.stdout) == []


async def test_a_cancelled_step_leaves_no_process() -> None:
    said: asyncio.Queue[str] = asyncio.Queue()
    sleeper = step("sleep 60 & echo $! $$; wait")
    running = asyncio.create_task(Runner(QUICK).run_step(sleeper, on_output=lambda _, text: said.put_nowait(text)))
    pids = await said.get()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert alive(pids) == []


async def test_fifty_megabytes_are_kept_as_a_head_and_a_tail() -> None:
    result = await run("echo first; head -c 50000000 /dev/zero | tr '\\0' 'x' | fold -w 99; echo; echo last")
    assert result.stdout.startswith("first\nxxx")
    assert result.stdout.endswith("\nlast\n")
    assert len(result.stdout) < 300_000
    assert result.cut_bytes > 49_000_000


async def test_a_step_cannot_fill_the_disk() -> None:
    settings = Settings(file_size=1024 * 1024)
    result = await run("head -c 5000000 /dev/zero > big; ls -l big | awk '{print $5}'", settings)
    assert result.stdout == "1048576\n"


async def test_output_is_clean_and_without_secrets_also_while_it_comes() -> None:
    said: list[str] = []
    command = step("printf '\\033[31mDB_PASS'; sleep 0.2; printf 'WORD=hunter2\\033[0m\\n\\377\\000ok\\n'")
    result = await Runner(QUICK).run_step(command, on_output=lambda _, text: said.append(text))
    assert result.stdout == "DB_PASSWORD=[redacted]\n\ufffdok\n" == "".join(said)


async def test_curl_of_a_503_is_unhealthy_and_of_a_200_is_not(site: str) -> None:
    bad = await run(f"curl -s {site}/503")
    assert (bad.exit_code, bad.outcome, bad.reason) == (0, Outcome.UNHEALTHY, f"{site}/503 answered 503")
    assert (bad.stdout, bad.stderr) == ("body\n", "")
    assert (await run(f"curl -s {site}/ | cat")).outcome is Outcome.OK
    assert (await run(f"curl -s {site}/503 | cat")).outcome is Outcome.UNHEALTHY


async def test_merged_streams_are_left_as_the_document_has_them(site: str) -> None:
    result = await run(f"curl -s {site}/503 2>&1 | wc -l")
    assert result.stdout.strip() == "1"


async def test_curl_that_reaches_nobody_is_unhealthy() -> None:
    result = await run("curl -s http://127.0.0.1:1/")
    assert (result.exit_code, result.outcome) == (7, Outcome.UNHEALTHY)


async def test_grep_without_a_match_found_nothing() -> None:
    assert (await run("echo a | grep b")).outcome is Outcome.NOTHING_FOUND


async def test_a_shell_that_is_not_there_is_said() -> None:
    result = await run("true", Settings(shell="/no/such/bash"))
    assert (result.outcome, result.exit_code) == (Outcome.REFUSED, None)
    assert "/no/such/bash" in result.reason


async def test_nothing_of_a_text_runs_that_bash_does_not_understand_to_its_end() -> None:
    said: list[str] = []
    result = await Runner(QUICK).run_step(
        step("echo first\nif true; then"), on_output=lambda _, text: said.append(text)
    )
    assert (result.outcome, said) == (Outcome.REFUSED, [])
    assert "syntax error" in result.reason


async def test_descriptors_of_the_server_are_not_the_steps() -> None:
    server_end, other_end = os.pipe()
    os.set_inheritable(server_end, True)
    result = await run(f"[ -e /dev/fd/{server_end} ] && echo open || echo closed")
    os.close(server_end)
    os.close(other_end)
    assert result.stdout == "closed\n"


def test_settings_do_not_show_their_values() -> None:
    assert "hunter2" not in repr(Settings(environment={"DB_PASSWORD": "hunter2"}))


def test_a_command_of_a_cell_has_what_a_step_needs() -> None:
    assert read_command("kubectl logs <pod>", line=3).placeholders[0].type == "pod"
