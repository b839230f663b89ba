"""The stand-in for kubectl against answers recorded from the real one: columns, words, exit codes."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tocsin.lab.kube.failures import ApiError
from tocsin.lab.kube.selectors import labels_match
from tocsin.lab.kubectl.formats import age, as_yaml, json_path, table
from tocsin.lab.kubectl.options import KubectlError, parse, seconds
from tocsin.lab.production import Answer, Production

Shell = Callable[[str], Answer]
Recorded = Callable[[str], Answer]


def header(text: str) -> list[str]:
    """A table's column names."""
    return text.splitlines()[0].split("  ")[0:1] + [
        name for name in text.splitlines()[0].split("  ")[1:] if name.strip()
    ]


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("kubectl get pods -n production", "get-pods"),
        ("kubectl get pods -n production -l app=backend -o wide", "get-pods-wide-label"),
        ("kubectl get nodes -o wide", "get-nodes"),
        ("kubectl get events -n production --sort-by=.lastTimestamp", "get-events-sorted"),
        ("kubectl top pods -n production", "top-pods"),
        ("kubectl top nodes", "top-nodes"),
    ],
)
def test_tables_have_the_columns_of_the_real_one(sh: Shell, recorded: Recorded, command: str, name: str) -> None:
    mine, real = sh(command), recorded(name)
    assert (mine.rc, mine.stderr) == (real.rc, real.stderr)
    assert [word.strip() for word in header(mine.stdout)] == [word.strip() for word in header(real.stdout)]


@pytest.mark.parametrize(
    ("command", "name", "names"),
    [
        ("kubectl get deploy nope -n production", "err-notfound", {}),
        ("kubectl -n nope get pods", "err-ns-missing", {}),
        ("kubectl get pdos", "err-unknown-resource", {}),
        ("kubectl --context=prod get pods", "err-nocontext", {}),
        ("kubectl auth can-i delete pods", "can-i-yes", {}),
        (
            "kubectl scale deploy/backend -n production --replicas=9 --dry-run=server",
            "scale-dryrun",
            {"checkout": "backend"},
        ),
        ("kubectl rollout restart deploy/redis -n production", "rollout-restart", {"checkout": "redis"}),
        ("kubectl scale deploy/frontend -n production --replicas=3", "scale", {"checkout": "frontend"}),
    ],
)
def test_answers_are_the_real_ones_to_the_letter(
    sh: Shell, recorded: Recorded, command: str, name: str, names: dict[str, str]
) -> None:
    real = recorded(name)
    for theirs, ours in names.items():
        real = real._replace(stdout=real.stdout.replace(theirs, ours))
    assert sh(command) == real


def test_a_production_that_is_down_refuses_connections_like_a_cluster_that_is_down(
    tmp_path: Path, recorded: Recorded
) -> None:
    with Production(tmp_path) as production:
        pass
    mine, real = production.run("kubectl get pods -n production"), recorded("err-refused")
    assert mine.rc == real.rc == 1
    address = f"127.0.0.1:{production.api_port}"
    assert mine.stderr.splitlines()[-1] == real.stderr.splitlines()[-1].replace("127.0.0.1:1", address)


def test_descriptions_carry_the_fields_of_the_real_one(sh: Shell, recorded: Recorded) -> None:
    mine = sh("kubectl describe deployment backend -n production").stdout
    theirs = recorded("describe-deploy").stdout
    fields = {line.partition(":")[0] for line in theirs.splitlines() if line[:1].isalpha()}
    assert fields <= {line.partition(":")[0] for line in mine.splitlines()}
    pod = sh("kubectl describe -n production $(kubectl get pods -n production -l app=backend -o name | head -1)").stdout
    fields = {
        line.partition(":")[0] for line in recorded("describe-pod-crash").stdout.splitlines() if line[:1].isalpha()
    }
    assert fields <= {line.partition(":")[0] for line in pod.splitlines()}


def test_objects_are_valid_json_in_the_shape_of_the_api(sh: Shell) -> None:
    listed = json.loads(sh("kubectl get pods,deploy,events -n production -o json").stdout)
    assert listed["kind"] == "List"
    assert {each["kind"] for each in listed["items"]} == {"Pod", "Deployment", "Event"}
    one = json.loads(sh("kubectl get deployment backend -n production -o json").stdout)
    assert one["spec"]["template"]["spec"]["containers"][0]["image"] == "ghcr.io/qawave/backend:v1"


def test_resource_limits_are_found_in_yaml_as_the_runbook_greps_them(sh: Shell) -> None:
    found = sh("kubectl get pod postgresql-0 -n production -o yaml | grep -A 10 resources").stdout
    assert found.splitlines()[:3] == ["    resources:", "      limits:", "        memory: 2Gi"]


@pytest.mark.parametrize(
    ("command", "rc", "output", "problem"),
    [
        ("deployment/backend -n production -- curl -s http://postgresql:5432", 52, "", "exit code 52"),
        ("deployment/backend -n production -- curl -s http://redis:6379", 52, "", "exit code 52"),
        ("deployment/backend -n production -- curl -s http://nowhere:80", 6, "", "exit code 6"),
        ("deployment/backend -n production -- curl -s localhost:8080/health", 0, '"UP"', ""),
        ("deployment/backend -n production -- ping -c 3 postgresql", 0, "3 received, 0% packet loss", ""),
        ("deployment/backend -n production -- java -version", 127, "", '"java": executable file not found in $PATH'),
        ("-it postgresql-0 -n production -- df -h", 0, "/var/lib/postgresql/data", "Unable to use a TTY"),
        ("-it postgresql-0 -n production -- psql -c 'SELECT * FROM pg_locks WHERE NOT granted;'", 0, "(0 rows)", ""),
        ("-it postgresql-0 -n production -- psql -c 'SELECT 1 FROM nope'", 1, "", 'relation "nope" does not exist'),
        ("nope -n production -- df -h", 1, "", 'Error from server (NotFound): pods "nope" not found'),
    ],
)  # fmt: skip
def test_exec_answers_what_a_runbook_asks(sh: Shell, command: str, rc: int, output: str, problem: str) -> None:
    answer = sh(f"kubectl exec {command}")
    assert answer.rc == rc
    assert output in answer.stdout
    assert problem in answer.stderr


def test_the_number_of_database_connections_is_what_the_pods_hold(sh: Shell) -> None:
    asked = sh('kubectl exec -it postgresql-0 -n production -- psql -c "SELECT count(*) FROM pg_stat_activity;"').stdout
    assert asked.splitlines()[0].strip() == "count"
    assert int(asked.splitlines()[2]) >= 10


def test_log_lines_can_be_prefixed_and_stamped(sh: Shell) -> None:
    lines = sh("kubectl logs -l app=backend -n production --tail=2 --prefix --timestamps").stdout.splitlines()
    assert len(lines) == 4
    assert all(line.startswith("[pod/backend-") and "/backend] 20" in line for line in lines)
    assert sh("kubectl logs deployment/backend -n production --since=10m | tail -1").stderr.startswith("Found 2 pods")


def test_logs_have_both_sides_of_since(sh: Shell) -> None:
    assert sh("kubectl logs deployment/backend -n production --since=1h").stdout.count("backend v1 started") == 1
    assert sh("kubectl logs deployment/backend -n production --since=1ms").stdout.count("backend v1 started") == 0


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        ("kubectl frob", 'unknown command "frob"'),
        ("kubectl get pods --foo", "unknown flag: --foo"),
        ("kubectl scale deploy/backend -n production", "required flag(s)"),
        ("kubectl rollout undo deploy/frontend -n production", 'no rollout history found for deployment "frontend"'),
        ("kubectl rollout undo deploy/backend -n production --to-revision=9", "unable to find specified revision 9"),
        ("kubectl logs postgresql-0 -n production --previous", "previous terminated container"),
        ("kubectl get pods -n production -o nonsense", "unable to match a printer"),
        ("kubectl get pods pod/x -n production", "there is no need to specify a resource type as a separate"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_refused_in_one_clear_line(sh: Shell, command: str, problem: str) -> None:
    answer = sh(command)
    assert answer.rc == 1
    assert problem in answer.stderr
    assert "Traceback" not in answer.stderr


def test_flags_are_read_wherever_they_stand() -> None:
    options = parse(["-n", "production", "exec", "-it", "pod-0", "--", "ls", "-l"])
    assert options.words == ("exec", "pod-0")
    assert options.namespace == "production"
    assert options.has("tty")
    assert options.command == ("ls", "-l")
    assert parse(["get", "pods", "-nproduction", "-A"]).flags == {
        "namespace": "production",
        "all-namespaces": "true",
    }


@pytest.mark.parametrize(("text", "expected"), [("10m", 600.0), ("1h30m", 5400.0), ("500ms", 0.5), ("0", 0.0)])
def test_durations_are_read_as_go_writes_them(text: str, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["10", "m", "ten minutes"])
def test_other_durations_are_refused(text: str) -> None:
    with pytest.raises(KubectlError, match="duration"):
        seconds(text)


@pytest.mark.parametrize(
    ("lived", "shown"),
    [
        (119, "119s"), (120, "2m"), (200, "3m20s"), (599, "9m59s"), (600, "10m"), (10_799, "179m"), (10_800, "3h"),
        (28_799, "7h59m"), (28_800, "8h"), (172_799, "47h"), (172_800, "2d"), (691_199, "7d23h"), (691_200, "8d"),
    ],
)  # fmt: skip
def test_ages_are_written_as_kubernetes_writes_them(lived: int, shown: str) -> None:
    assert age(1000.0, now=1000.0 + lived) == shown


@pytest.mark.parametrize(
    ("selector", "met"),
    [
        ("app=backend", True),
        ("app==backend", True),
        ("app=x", False),
        ("app!=x", True),
        ("tier", False),
        ("!tier", True),
        ("app in (x, backend)", True),
        ("app notin (backend),!tier", False),
        ("app=backend,tier notin (x)", True),
    ],
)
def test_selectors_choose_by_labels(selector: str, met: bool) -> None:
    assert labels_match({"app": "backend"}, selector) is met


def test_a_selector_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(ApiError, match="unable to parse requirement"):
        labels_match({}, "app=(")


def test_json_paths_walk_lists_and_names() -> None:
    value = {"items": [{"name": "a"}, {"name": "b"}]}
    assert json_path("{.items[*].name}", value) == "a b"
    assert json_path('{.items[1].name}{"\\n"}', value) == "b\n"
    assert json_path("{.items[7].name}", value) == ""


def test_yaml_quotes_what_would_be_read_as_something_else() -> None:
    assert (
        as_yaml({"a": "true", "b": ["x", {"c": 1}], "d": "5", "e": {}}) == 'a: "true"\nb:\n- x\n- c: 1\nd: "5"\ne: {}\n'
    )


def test_tables_pad_with_three_spaces_and_leave_the_end_bare() -> None:
    assert table([["NAME", "AGE"], ["backend", "5s"]]) == "NAME      AGE\nbackend   5s\n"
