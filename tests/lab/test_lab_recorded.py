"""The real kubectl against the practice cluster, in the very state in which a real cluster was recorded: a crash loop,
a pod killed for its memory, an image that is not there. What it prints has the recorded form, every recording of it."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from clusters import lab_cluster

from tocsin.lab.production import Answer, Production

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(shutil.which("kubectl") is None, reason="needs kubectl on PATH"),
]
RECORDED = Path(__file__).parent / "recorded"
CRASH = "FATAL: cannot connect to database postgres://payments:5432: connection refused"
Recorded = Callable[[str], Answer]


def state(cluster: Production, app: str) -> set[str]:
    """What the app's containers wait for or ended with."""
    found = [status for pod in cluster.pods(app) for status in pod["status"].get("containerStatuses", [])]
    states = [{**each["state"], **each["lastState"]} for each in found]
    return {str(one.get("reason")) for each in states for one in each.values()}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Production]:
    """A cluster like the recorded one: backend is its checkout, worker its payments, frontend its cart."""
    with lab_cluster(tmp_path_factory.mktemp("cluster")) as production:
        production.push("ghcr.io/qawave/backend:bad", boot_error=CRASH)
        production.deploy("bad")
        production.deploy("9.9", "frontend")
        small = {"name": "worker", "resources": {"limits": {"memory": "4Mi"}, "requests": {"memory": "4Mi"}}}
        production.patch("worker", {"spec": {"template": {"spec": {"containers": [small]}}}})
        production.until(lambda: "CrashLoopBackOff" in state(production, "backend"), seconds=20, what="a crash loop")
        production.until(lambda: "ImagePullBackOff" in state(production, "frontend"), seconds=20, what="no image")
        production.until(lambda: "OOMKilled" in state(production, "worker"), seconds=20, what="an OOM kill")
        yield production


@pytest.fixture(scope="module")
def crashing(cluster: Production) -> str:
    """The pod in the crash loop."""
    return pod_of(cluster, "backend", "bad")


def pod_of(cluster: Production, app: str, tag: str) -> str:
    """The app's pod with that image."""
    mine = (pod for pod in cluster.pods(app) if pod["spec"]["containers"][0]["image"].endswith(f":{tag}"))
    return str(next(mine)["metadata"]["name"])


def columns(text: str) -> list[str]:
    """A table's column names."""
    return re.split(r"\s{2,}", text.splitlines()[0].strip())


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("kubectl get pods", "get-pods"),
        ("kubectl get pods -l app=backend -o wide", "get-pods-wide-label"),
        ("kubectl get nodes -o wide", "get-nodes"),
        ("kubectl get events --sort-by=.lastTimestamp", "get-events-sorted"),
        ("kubectl top pods", "top-pods"),
        ("kubectl top nodes", "top-nodes"),
        ("kubectl rollout history deploy/backend", "rollout-history"),
    ],
)
def test_tables_have_the_recorded_columns(cluster: Production, recorded: Recorded, command: str, name: str) -> None:
    mine, real = cluster.run(command), recorded(name)
    assert (mine.rc, mine.stderr) == (real.rc, real.stderr)
    assert columns(mine.stdout) == columns(real.stdout.replace("checkout", "backend"))


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("auth can-i delete pods", "can-i-yes"),
        ("--context=viewer auth can-i delete pods", "can-i-no"),
        ("--context=prod get pods", "err-nocontext"),
        ("get deploy nope", "err-notfound"),
        ("-n nope get pods", "err-ns-missing"),
        ("get pdos", "err-unknown-resource"),
        ("exec deploy/redis -- sh -c 'echo out; echo err >&2; exit 7'", "exec"),
        ("scale deploy/redis --replicas=9 --dry-run=server", "scale-dryrun"),
        ("rollout restart deploy/redis", "rollout-restart"),
    ],
)
def test_answers_are_the_recorded_ones_to_the_letter(
    cluster: Production, recorded: Recorded, command: str, name: str
) -> None:
    real = recorded(name)
    real = real._replace(stdout=real.stdout.replace("checkout", "redis"))
    assert cluster.run(f"kubectl {command}") == real


@pytest.mark.parametrize(
    ("command", "name", "names"),
    [
        ("--context=stranger get pods", "err-forbidden-view", {"viewer": "stranger", "default": "production"}),
        (
            "--context=stranger scale deploy/backend --replicas=0",
            "err-forbidden-scale",
            {"viewer": "stranger", "default": "production", "checkout": "backend"},
        ),
        ("--context=nobody get pods", "err-unauth", {"Unauthorized": "the server has asked for the client to provide"}),
    ],
)
def test_refusals_are_the_recorded_ones(
    cluster: Production, recorded: Recorded, command: str, name: str, names: dict[str, str]
) -> None:
    mine, real = cluster.run(f"kubectl {command}"), recorded(name)
    said = real.stderr.splitlines()[-1].rstrip(")")
    for theirs, ours in names.items():
        said = said.replace(theirs, ours)
    assert (mine.rc, mine.stdout) == (real.rc, real.stdout)
    assert said in mine.stderr


def test_a_request_that_took_too_long_is_refused_as_recorded(cluster: Production, recorded: Recorded) -> None:
    """How far kubectl comes within the microsecond decides in which of its words it says so."""
    mine, real = cluster.run("kubectl --request-timeout=1us get pods"), recorded("err-request-timeout")
    words = ("context deadline exceeded", "Client.Timeout exceeded")
    assert (mine.rc, mine.stdout) == (real.rc, real.stdout)
    assert any(said in real.stderr for said in words)
    assert any(said in mine.stderr for said in words)


def fields(text: str) -> set[str]:
    """The names of a description's fields, whatever their depth; not the names that the cluster's people chose."""
    found = re.findall(r"^\s*([A-Z][\w -]*(?:\([\w ]+\))?):(?:\s|$)", text, re.MULTILINE)
    return {name for name in found if "  " not in name} - {"VERSION", "Command"}


@pytest.mark.parametrize(
    ("app", "tag", "name"),
    [
        ("backend", "bad", "describe-pod-crash"),
        ("frontend", "9.9", "describe-pod-imageerr"),
        ("worker", "v1", "describe-pod-oom"),
    ],
)
def test_descriptions_of_pods_have_the_recorded_fields(
    cluster: Production, recorded: Recorded, app: str, tag: str, name: str
) -> None:
    cluster.until(lambda: state(cluster, "worker") & {"OOMKilled"} != set(), seconds=20, what="it was killed again")
    broken = [pod for pod in cluster.pods(app) if not all(s["ready"] for s in pod["status"]["containerStatuses"])]
    mine = cluster.run(f"kubectl describe pod {broken[0]['metadata']['name']}")
    real = recorded(name)
    assert mine.rc == real.rc
    assert fields(real.stdout) <= fields(mine.stdout)
    assert "Events:\n  Type     Reason" in mine.stdout


@pytest.mark.parametrize(
    ("command", "name"), [("deploy backend", "describe-deploy"), ("node worker-1", "describe-node")]
)
def test_descriptions_have_the_recorded_fields(
    cluster: Production, recorded: Recorded, command: str, name: str
) -> None:
    mine, real = cluster.run(f"kubectl describe {command}"), recorded(name)
    assert fields(real.stdout) - {"Lease", "HolderIdentity", "AcquireTime", "RenewTime"} <= fields(mine.stdout)


def paths(value: Any, at: str = "") -> set[str]:
    """Every path of a JSON value, list places left out; labels and annotations are people's own."""
    if isinstance(value, list):
        return set().union(*(paths(each, at) for each in value)) if value else {at}
    if not isinstance(value, dict) or at.endswith((".labels", ".annotations")):
        return {at}
    return set().union({at}, *(paths(each, f"{at}.{key}") for key, each in value.items()))


@pytest.mark.parametrize(
    ("command", "name", "own"),
    [
        # the recorded containers share the host's network and run a command; the scheduler's events are of another API
        (
            "pods",
            "get-pods-json",
            {
                ".spec.hostNetwork",
                ".spec.containers.command",
                *(f".spec.containers.{kind}Probe.httpGet.host" for kind in ("liveness", "readiness")),
            },
        ),
        ("events", "get-events-json", {".action"}),
    ],
)
def test_objects_have_every_recorded_path(
    cluster: Production, recorded: Recorded, command: str, name: str, own: set[str]
) -> None:
    mine = json.loads(cluster.run(f"kubectl get {command} -o json").stdout)
    real = json.loads(recorded(name).stdout)
    assert {key for key in real if key != "items"} == {key for key in mine if key != "items"}
    theirs = {path.replace(".state.terminated", ".lastState.terminated") for path in paths(real["items"])}
    assert theirs - own <= paths(mine["items"])


def test_logs_of_a_container_that_never_ran_are_refused_alike(cluster: Production, recorded: Recorded) -> None:
    pod = pod_of(cluster, "frontend", "9.9")
    mine, real = cluster.run(f"kubectl logs {pod}"), recorded("err-logs-not-running")
    assert (mine.rc, mine.stdout) == (real.rc, real.stdout)
    told = re.sub(r'".*?"', '""', real.stderr).rpartition(":")[0]
    assert re.sub(r'".*?"', '""', mine.stderr).rpartition(":")[0] == told


def test_the_log_of_the_life_before_can_be_read(cluster: Production, recorded: Recorded, crashing: str) -> None:
    mine, real = cluster.run(f"kubectl logs {crashing} --previous"), recorded("logs-crash-previous")
    assert (mine.rc, mine.stderr) == (real.rc, real.stderr)
    assert mine.stdout.splitlines()[-1].endswith(real.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    ("options", "name", "shape"),
    [
        ("--prefix", "logs-selector-prefix", r"\[pod/[\w-]+/\w+\] \S"),
        ("--timestamps", "logs-timestamps", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z \S"),
    ],
)
def test_lines_of_logs_have_the_recorded_form(
    cluster: Production, recorded: Recorded, options: str, name: str, shape: str
) -> None:
    mine, real = cluster.run(f"kubectl logs -l app=backend --tail=3 {options}"), recorded(name)
    assert (mine.rc, mine.stderr) == (real.rc, real.stderr)
    assert all(re.match(shape, line) for text in (mine.stdout, real.stdout) for line in text.splitlines())


def test_logs_of_a_deployment_are_those_of_one_pod(cluster: Production, recorded: Recorded) -> None:
    mine, real = cluster.run("kubectl logs deploy/redis --since=10m --tail=20"), recorded("logs-deploy")
    assert (mine.rc, mine.stderr) == (real.rc, real.stderr)


def test_a_rollout_that_is_stuck_times_out_alike(cluster: Production, recorded: Recorded) -> None:
    mine = cluster.run("kubectl rollout status deploy/backend --timeout=1s")
    real = recorded("rollout-status-stuck")
    assert (mine.rc, mine.stderr) == (real.rc, real.stderr)
    words = set(re.sub(r"\d+", "N", mine.stdout).replace("backend", "checkout").splitlines())
    known = {"out of", "old replicas are pending termination", "updated replicas are available"}
    assert all(line.startswith('Waiting for deployment "checkout" rollout to finish: N') for line in words)
    assert all(any(part in line for part in known) for line in words)


def test_an_undo_and_the_rollout_after_it_answer_alike(cluster: Production, recorded: Recorded) -> None:
    undone, real = cluster.run("kubectl rollout undo deploy/worker"), recorded("rollout-undo")
    assert undone == real._replace(stdout=real.stdout.replace("checkout", "worker"))
    done, real = cluster.run("kubectl rollout status deploy/worker --timeout=20s"), recorded("rollout-status-ok")
    assert (done.rc, done.stderr) == (real.rc, real.stderr)
    assert done.stdout.splitlines()[-1] == real.stdout.splitlines()[-1].replace("checkout", "worker")


def test_a_scaling_answers_alike(cluster: Production, recorded: Recorded) -> None:
    mine, real = cluster.run("kubectl scale deploy/redis --replicas=2"), recorded("scale")
    assert mine == real._replace(stdout=real.stdout.replace("checkout", "redis"))


def test_every_recording_is_compared() -> None:
    compared = Path(__file__).read_text(encoding="utf-8")
    recordings = {path.stem for path in RECORDED.glob("*.json") if not path.stem.startswith("am-")}
    assert {name for name in recordings if f'"{name}"' not in compared} == {"err" + "-refused"}  # in test_lab_kubectl
