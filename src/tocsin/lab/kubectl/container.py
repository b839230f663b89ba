"""`kubectl exec`: the few programs that a runbook runs inside a container, played from the cluster's state.

Nothing is executed. What is asked of the backend over HTTP is really asked of its process; the database, Redis and
the network are played, and any other program is not found, as in a slim image.
"""

import os
import re
import socket
import sys
from collections.abc import Callable
from pathlib import Path

from tocsin.lab.kubectl.logs import choose_pod
from tocsin.lab.kubectl.options import KubectlError, Options
from tocsin.lab.state import Cluster, Pod

Played = tuple[int, str, str]
"""Exit code, standard output, standard error."""

_IDLE_CONNECTIONS = 6


def execute(cluster: Cluster, options: Options) -> int:
    """Play the command in the pod and give its exit code."""
    if len(options.words) < 2:
        raise KubectlError("error: pod, type/name or --filename must be specified")
    if not options.command:
        raise KubectlError("error: you must specify at least one command for the container")
    pod = choose_pod(cluster, options.words[1], options)
    if pod["started_at"] is None:
        problem = f'unable to upgrade connection: container not found ("{pod["app"]}")'
        raise KubectlError(f"error: {problem}")
    if options.has("tty") and not sys.stdin.isatty():
        print("Unable to use a TTY - input is not a terminal or the right kind of file", file=sys.stderr)
    code, output, problem = _play(cluster, pod, list(options.command))
    sys.stdout.write(output)
    sys.stdout.flush()
    sys.stderr.write(problem)
    if code:
        print(f"command terminated with exit code {code}", file=sys.stderr)
    return code


def _play(cluster: Cluster, pod: Pod, command: list[str]) -> Played:
    program = Path(command[0]).name
    shared: dict[str, Callable[[Cluster, Pod, list[str]], Played]] = {
        "curl": _curl, "ping": _ping, "df": _df, "echo": _echo, "env": _env, "printenv": _env, "hostname": _hostname,
    }  # fmt: skip
    own: dict[str, dict[str, Callable[[Cluster, Pod, list[str]], Played]]] = {
        "postgresql": {"psql": _psql, "pg_isready": _pg_isready},
        "redis": {"redis-cli": _redis},
    }
    play = own.get(pod["app"], {}).get(program) or shared.get(program)
    if play is None:
        problem = f'exec: "{command[0]}": executable file not found in $PATH: unknown\n'
        reason = "OCI runtime exec failed: exec failed: unable to start container process: "
        return 127, "", reason + problem
    return play(cluster, pod, command[1:])


def _curl(cluster: Cluster, pod: Pod, arguments: list[str]) -> Played:
    urls = [word for word in arguments if _is_address(word)]
    silent = any(word.startswith("-") and not word.startswith("--") and "s" in word for word in arguments)
    loud = not silent or any(re.match(r"^-[a-zA-Z]*S", word) for word in arguments)
    if not urls:
        return 2, "", "curl: no URL specified!\ncurl: try 'curl --help' for more information\n"
    match = re.match(r"^(?:https?://)?(?P<host>[\w.-]+)(?::(?P<port>\d+))?(?P<path>/\S*)?$", urls[-1])
    if match is None:
        return 3, "", "curl: (3) URL using bad/illegal format or missing URL\n"
    name = match["host"].removesuffix(".svc.cluster.local").removesuffix(f".{cluster['namespace']}")
    if name in ("postgresql", "redis"):  # they listen, and do not speak HTTP
        return 52, "", "curl: (52) Empty reply from server\n" if loud else ""
    if name in ("localhost", "127.0.0.1"):
        name = pod["app"]
    if name not in cluster["deployments"]:
        return 6, "", f"curl: (6) Could not resolve host: {match['host']}\n" if loud else ""
    answer = _ask(cluster, name, match["path"] or "/")
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


def _ask(cluster: Cluster, app: str, path: str) -> tuple[int, str] | None:
    """Status and body from one of the app's pods; None when nothing listens."""
    if not cluster["deployments"][app]["real"]:
        return 200, "<!doctype html><title>QAWave</title>\n"
    for pod in cluster["pods"].values():
        if pod["app"] != app or pod["socket"] is None:
            continue
        try:
            return _http_get(pod["socket"], path)
        except (OSError, ValueError):
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


def _ping(cluster: Cluster, pod: Pod, arguments: list[str]) -> Played:
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
    address = _address(cluster, host)
    if address is None:
        return 2, "", f"ping: {host}: Name or service not known\n"
    lines = [f"PING {host} ({address}) 56(84) bytes of data."]
    lines += [f"64 bytes from {address}: icmp_seq={n + 1} ttl=62 time=0.{210 + 37 * (n % 5)} ms" for n in range(count)]
    lines += ["", f"--- {host} ping statistics ---"]
    lines += [f"{count} packets transmitted, {count} received, 0% packet loss, time {max(0, count - 1) * 1021}ms"]
    lines += ["rtt min/avg/max/mdev = 0.210/0.247/0.358/0.037 ms"]
    return 0, "\n".join(lines) + "\n", ""


def _address(cluster: Cluster, host: str) -> str | None:
    short = host.partition(".")[0]
    for pod in cluster["pods"].values():
        if short in (pod["app"], pod["name"]):
            return pod["ip"]
    return {"localhost": "127.0.0.1"}.get(host)


def _df(_cluster: Cluster, pod: Pod, _arguments: list[str]) -> Played:
    rows = ["Filesystem      Size  Used Avail Use% Mounted on", "overlay          75G   22G   50G  31% /"]
    rows += ["tmpfs            64M     0   64M   0% /dev"]
    if pod["app"] == "postgresql":
        rows += ["/dev/sdb         40G   17G   22G  44% /var/lib/postgresql/data"]
    rows += ["/dev/sda1        75G   22G   50G  31% /etc/hosts", "shm              64M  1.1M   63M   2% /dev/shm"]
    return 0, "\n".join(rows) + "\n", ""


def _echo(_cluster: Cluster, _pod: Pod, arguments: list[str]) -> Played:
    return 0, " ".join(arguments) + "\n", ""


def _env(cluster: Cluster, pod: Pod, _arguments: list[str]) -> Played:
    return 0, f"HOSTNAME={pod['name']}\nVERSION={pod['version']}\nPOD_NAMESPACE={cluster['namespace']}\n", ""


def _hostname(_cluster: Cluster, pod: Pod, _arguments: list[str]) -> Played:
    return 0, pod["name"] + "\n", ""


def _pg_isready(_cluster: Cluster, _pod: Pod, _arguments: list[str]) -> Played:
    return 0, "/var/run/postgresql:5432 - accepting connections\n", ""


def _redis(_cluster: Cluster, _pod: Pod, arguments: list[str]) -> Played:
    if [word.lower() for word in arguments] == ["ping"]:
        return 0, "PONG\n", ""
    return 0, f"(error) ERR unknown command '{arguments[0] if arguments else ''}'\n", ""


def _psql(cluster: Cluster, _pod: Pod, arguments: list[str]) -> Played:
    statements = [arguments[at + 1] for at, word in enumerate(arguments[:-1]) if word in ("-c", "--command")]
    if not statements:
        return 0, "", ""
    bare = any(word in ("-t", "-At", "-tA", "-tAc", "--tuples-only") for word in arguments)
    query = " ".join(statements[-1].split()).rstrip(";").lower()
    count = re.match(r"^select count\(\*\) from (\w+)( where .*)?$", query)
    if count and count[1] == "pg_stat_activity":
        return 0, _rows(["count"], [[str(connections(cluster))]], bare=bare), ""
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


def connections(cluster: Cluster) -> int:
    """Database connections: the server's own and what the backend's pods say they hold."""
    return _IDLE_CONNECTIONS + sum(pod["connections"] for pod in cluster["pods"].values())


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
