"""`exec`: the few programs that a runbook runs inside a container, played from the cluster's state.

Nothing is executed but psql, against the practice database when that is a real one. What is asked of a service over
HTTP is really asked of its process; the rest is played, and any other program is not found, as in a slim image.
"""

import os
import re
import shlex
import shutil
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tocsin.lab.kube.kubelet import Container, Kubelet
from tocsin.lab.kube.objects import Object, labels_of, name_of
from tocsin.lab.kube.resources import PODS, SERVICES
from tocsin.lab.kube.store import Store
from tocsin.lab.world import Watched, world_file

Played = tuple[int, str, str]
"""Exit code, standard output, standard error."""

PSQL_WITHIN_S = 20.0
_IDLE_CONNECTIONS = 6


class Place(NamedTuple):
    """Where a command is run: the pod, its container, and the cluster around it."""

    store: Store
    kubelet: Kubelet
    pod: Object
    container: Container
    state_dir: Path

    @property
    def namespace(self) -> str:
        """The pod's namespace."""
        return str(self.pod["metadata"]["namespace"])

    def containers(self, app: str) -> list[Container]:
        """The running containers of an app."""
        pods = [pod for pod in self.store.all(PODS, self.namespace) if labels_of(pod).get("app") == app]
        found = [self.kubelet.containers.get(pod["metadata"]["uid"]) for pod in pods]
        return [each for each in found if each is not None and each.running]

    def fault(self, name: str) -> object:
        """What strikes the app just now under that name."""
        faults = Watched(world_file(self.state_dir)).read().get("faults", {})
        return faults.get(self.container.app, {}).get(name) if isinstance(faults, dict) else None


def play(place: Place, command: list[str]) -> Played:
    """What the command answers in that pod."""
    program = Path(command[0]).name
    shared: dict[str, Callable[[Place, list[str]], Played]] = {
        "curl": _curl, "ping": _ping, "df": _df, "echo": _echo, "env": _env, "printenv": _env, "hostname": _hostname,
        "sh": _shell, "bash": _shell,
    }  # fmt: skip
    own: dict[str, dict[str, Callable[[Place, list[str]], Played]]] = {
        "postgresql": {"psql": _psql, "pg_isready": _pg_isready},
        "redis": {"redis-cli": _redis},
    }
    played = own.get(place.container.app, {}).get(program) or shared.get(program)
    if played is None:
        problem = f'exec: "{command[0]}": executable file not found in $PATH: unknown\n'
        reason = "OCI runtime exec failed: exec failed: unable to start container process: "
        return 127, "", reason + problem
    return played(place, command[1:])


def _shell(place: Place, arguments: list[str]) -> Played:
    """`sh -c 'one; another'`: the programs above, one after the other; `exit N`, `>&2` and `&&`."""
    if arguments[:1] != ["-c"] or len(arguments) < 2:
        return 0, "", ""
    code, output, problem = 0, "", ""
    for part in re.split(r"(;|&&|\|\|)", arguments[1]):
        if part in (";", "&&", "||"):
            if (part == "&&" and code) or (part == "||" and not code):
                break
            continue
        words = shlex.split(part)
        aside = bool(words) and words[-1] in (">&2", "1>&2")
        words = words[:-1] if aside else words
        if words[:1] == ["exit"]:
            return int(words[1]) if len(words) > 1 else code, output, problem
        if words:
            code, said, complained = play(place, words)
            output, problem = output + ("" if aside else said), problem + complained + (said if aside else "")
    return code, output, problem


def _curl(place: Place, arguments: list[str]) -> Played:
    urls = [word for word in arguments if _is_address(word)]
    silent = any(word.startswith("-") and not word.startswith("--") and "s" in word for word in arguments)
    loud = not silent or any(re.match(r"^-[a-zA-Z]*S", word) for word in arguments)
    if not urls:
        return 2, "", "curl: no URL specified!\ncurl: try 'curl --help' for more information\n"
    match = re.match(r"^(?:https?://)?(?P<host>[\w.-]+)(?::(?P<port>\d+))?(?P<path>/\S*)?$", urls[-1])
    if match is None:
        return 3, "", "curl: (3) URL using bad/illegal format or missing URL\n"
    name = match["host"].removesuffix(".svc.cluster.local").removesuffix(f".{place.namespace}")
    if name in ("postgresql", "redis"):  # they listen, and do not speak HTTP
        return 52, "", "curl: (52) Empty reply from server\n" if loud else ""
    if name in ("localhost", "127.0.0.1"):
        name = place.container.app
    if place.store.find(SERVICES, place.namespace, name) is None and name != place.container.app:
        return 6, "", f"curl: (6) Could not resolve host: {match['host']}\n" if loud else ""
    answer = _ask(place, name, match["path"] or "/")
    if answer is None:
        refused = f"curl: (7) Failed to connect to {match['host']} port {match['port'] or 80}: Connection refused\n"
        return 7, "", refused if loud else ""
    return _curl_output(arguments, *answer)


def _is_address(word: str) -> bool:
    return (
        "://" in word or re.match(r"^[a-z][\w.-]*(:\d+|\.\w+)(/|$)", word) is not None or word.startswith("localhost")
    )


def _curl_output(arguments: list[str], status: int, body: str) -> Played:
    failing = any(word == "--fail" or re.match(r"^-[a-zA-Z]*f", word) for word in arguments) and status >= 400
    shown = "" if failing or "/dev/null" in arguments else body
    for at, word in enumerate(arguments[:-1]):
        if word in ("-w", "--write-out"):
            shown += arguments[at + 1].replace("%{http_code}", str(status)).replace("\\n", "\n")
    problem = f"curl: (22) The requested URL returned error: {status}\n" if failing else ""
    return (22 if failing else 0), shown, problem


def _ask(place: Place, app: str, path: str) -> tuple[int, str] | None:
    """Status and body from one of the app's pods; None when nothing listens."""
    for container in place.containers(app):
        try:
            return _http_get(container.port, path)
        except (OSError, ValueError, IndexError):
            continue
    return None


def _http_get(port: int, path: str) -> tuple[int, str]:
    """A bare HTTP/1.0 GET: `http.client` would double the time this program takes to start."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(f"GET {path} HTTP/1.0\r\nHost: backend\r\n\r\n".encode())
        received = b""
        while chunk := connection.recv(65_536):
            received += chunk
    head, _, body = received.decode("utf-8", "replace").partition("\r\n\r\n")
    return int(head.split(" ", 2)[1]), body


def _ping(place: Place, arguments: list[str]) -> Played:
    count = 3
    host = ""
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if word in ("-c", "-W", "-w", "-i") and rest:
            value = rest.pop(0)
            count = int(value) if word == "-c" and value.isdigit() else count
        elif not word.startswith("-"):
            host = word
    address = _address(place, host)
    if address is None:
        return 2, "", f"ping: {host}: Name or service not known\n"
    lines = [f"PING {host} ({address}) 56(84) bytes of data."]
    lines += [f"64 bytes from {address}: icmp_seq={n + 1} ttl=62 time=0.{210 + 37 * (n % 5)} ms" for n in range(count)]
    lines += ["", f"--- {host} ping statistics ---"]
    lines += [f"{count} packets transmitted, {count} received, 0% packet loss, time {max(0, count - 1) * 1021}ms"]
    lines += ["rtt min/avg/max/mdev = 0.210/0.247/0.358/0.037 ms"]
    return 0, "\n".join(lines) + "\n", ""


def _address(place: Place, host: str) -> str | None:
    short = host.partition(".")[0]
    for pod in place.store.all(PODS, place.namespace):
        if short in (labels_of(pod).get("app"), name_of(pod)):
            return str(pod["status"].get("podIP", ""))
    return {"localhost": "127.0.0.1"}.get(host)


def _df(place: Place, _arguments: list[str]) -> Played:
    rows = ["Filesystem      Size  Used Avail Use% Mounted on", "overlay          75G   22G   50G  31% /"]
    rows += ["tmpfs            64M     0   64M   0% /dev"]
    if place.container.app == "postgresql":
        full = place.fault("disk_full")
        rows += [f"/dev/sdb         40G   {'40G     0 100%' if full else '17G   22G  44%'} /var/lib/postgresql/data"]
    if place.container.app == "worker":
        full = place.fault("volume_mb") is not None
        rows += [f"/dev/sdc        1.0G  {'1.0G     0 100%' if full else ' 61M  940M   7%'} /data"]
    rows += ["/dev/sda1        75G   22G   50G  31% /etc/hosts", "shm              64M  1.1M   63M   2% /dev/shm"]
    return 0, "\n".join(rows) + "\n", ""


def _echo(place: Place, arguments: list[str]) -> Played:
    return 0, " ".join(arguments) + "\n", ""


def _env(place: Place, _arguments: list[str]) -> Played:
    own = place.pod["spec"]["containers"][0].get("env") or []
    told = {one["name"]: one.get("value", "") for one in own}
    version = str(place.container.traits.get("version", ""))
    told |= {"HOSTNAME": name_of(place.pod), "VERSION": version, "POD_NAMESPACE": place.namespace}
    return 0, "".join(f"{name}={value}\n" for name, value in told.items()), ""


def _hostname(place: Place, _arguments: list[str]) -> Played:
    return 0, name_of(place.pod) + "\n", ""


def _pg_isready(_place: Place, _arguments: list[str]) -> Played:
    return 0, "/var/run/postgresql:5432 - accepting connections\n", ""


def _redis(place: Place, arguments: list[str]) -> Played:
    if [word.lower() for word in arguments] == ["ping"]:
        return 0, "PONG\n", ""
    return 0, f"(error) ERR unknown command '{arguments[0] if arguments else ''}'\n", ""


def _psql(place: Place, arguments: list[str]) -> Played:
    if real(place.pod):
        return _really_psql(place, arguments)
    statements = [arguments[at + 1] for at, word in enumerate(arguments[:-1]) if word in ("-c", "--command")]
    if not statements:
        return 0, "", ""
    bare = any(word in ("-t", "-At", "-tA", "-tAc", "--tuples-only") for word in arguments)
    query = " ".join(statements[-1].split()).rstrip(";").lower()
    count = re.match(r"^select count\(\*\) from (\w+)( where .*)?$", query)
    if count and count[1] == "pg_stat_activity":
        return 0, _rows(["count"], [[str(connections(place))]], bare=bare), ""
    if count and count[1] == "pg_locks":
        return 0, _rows(["count"], [["0"]], bare=bare), ""
    if re.search(r"from pg_locks where not granted$", query):
        return 0, _rows(["locktype", "database", "relation", "pid", "mode", "granted"], [], bare=bare), ""
    if re.search(r"from pg_stat_statements\b", query):
        mean = "mean_exec_time" if "mean_exec_time" in query else "mean_time"
        return 0, _rows(["query", "calls", mean], _STATEMENTS, bare=bare), ""
    if query == "select 1":
        return 0, _rows(["?column?"], [["1"]], bare=bare), ""
    table = re.search(r"\bfrom ([\w.]+)", query)
    text = " ".join(statements[-1].split())
    if table is None:
        return (
            1,
            "",
            f'ERROR:  syntax error at or near "{text.split()[0] if text else ""}"\nLINE 1: {text}\n        ^\n',
        )
    caret = " " * (8 + text.lower().find(table[1], table.start(1)))
    return 1, "", f'ERROR:  relation "{table[1]}" does not exist\nLINE 1: {text}\n{caret}^\n'


def real(pod: Object) -> bool:
    """Whether the pod's database is a real one."""
    told = {one["name"]: one.get("value") for one in pod["spec"]["containers"][0].get("env") or []}
    return told.get("REAL") == "1" and shutil.which("psql") is not None


def _really_psql(place: Place, arguments: list[str]) -> Played:
    """psql itself, with the arguments as they are; only where it connects to is the lab's."""
    program = shutil.which("psql") or "psql"
    environment = {"PATH": os.defpath, "PGHOST": "127.0.0.1", "PGPORT": str(place.container.port), "PGUSER": "postgres"}
    environment |= {"PGCONNECT_TIMEOUT": "5", "PSQLRC": os.devnull, "HOME": str(place.state_dir), "LC_ALL": "C.UTF-8"}
    kept = [word for word in arguments if word not in ("-h", "localhost") and not word.startswith("--host")]
    try:
        done = subprocess.run(
            [program, *kept], env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL,
            timeout=PSQL_WITHIN_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return 124, "", f"psql: no answer within {PSQL_WITHIN_S:.0f} s\n"
    return done.returncode, done.stdout, done.stderr


def connections(place: Place) -> int:
    """Database connections: the server's own and what the backend's pods say they hold."""
    return _IDLE_CONNECTIONS + sum(each.connections for each in place.kubelet.containers.values())


_STATEMENTS = [
    ["SELECT s.* FROM scenarios s WHERE s.project_id = $1 ORDER BY s.created_at DESC", "18204", "11.482190337"],
    ["UPDATE runs SET status = $1, finished_at = $2 WHERE id = $3", "7310", "3.118840112"],
    ["INSERT INTO run_steps (run_id, position, result) VALUES ($1, $2, $3)", "52117", "0.904417005"],
    ["SELECT * FROM users WHERE id = $1", "96482", "0.081220431"],
]


def _rows(headers: list[str], rows: list[list[str]], *, bare: bool) -> str:
    """A result as psql prints it: headers centred, numbers to the right."""
    if bare:
        return "".join("|".join(row) + "\n" for row in rows)
    widths = [max(len(row[at]) for row in [headers, *rows]) for at in range(len(headers))]
    lines = ["|".join(f" {name:^{width}} " for name, width in zip(headers, widths, strict=True))]
    lines += ["+".join("-" * (width + 2) for width in widths)]
    for row in rows:
        cells = zip(row, widths, strict=True)
        lines.append(
            "|".join(f" {cell:>{width}} " if _number(cell) else f" {cell:<{width}} " for cell, width in cells).rstrip()
        )
    total = f"({len(rows)} row{'' if len(rows) == 1 else 's'})"
    return "\n".join([lines[0].rstrip("\n"), *lines[1:], total, ""]) + os.linesep


def _number(text: str) -> bool:
    return text.replace(".", "", 1).isdigit()
