from datetime import timedelta

import pytest

from tocsin.procedures.outcome import Ending, HttpAnswer, judge
from tocsin.procedures.results import Outcome

PODS = "NAME        READY   STATUS             RESTARTS   AGE\nbackend-1   {ready}     {status}   0          5m\n"
EXEC = "kubectl exec deployment/backend -n production -- "


def told(
    command: str, code: int | None = 0, *, out: str = "", err: str = "", status: int | None = None
) -> tuple[str, str]:
    answers = () if status is None else (HttpAnswer(status, "https://a/health"),)
    outcome, reason = judge(command, Ending(code, out, err, 0, False, answers), timeout=timedelta(seconds=60))
    assert reason
    return outcome.value, reason


@pytest.mark.parametrize(
    ("status", "wanted"), [(200, "ok"), (302, "ok"), (399, "ok"), (400, "unhealthy"), (503, "unhealthy")]
)
def test_curl_is_judged_by_its_status_although_it_exits_0(status: int, wanted: str) -> None:
    assert told("curl -s https://a/health", status=status)[0] == wanted


@pytest.mark.parametrize(
    ("command", "code", "err", "wanted"),
    [
        ("curl -s https://a", 7, "", "unhealthy"),
        ("curl -s https://a", 6, "", "unhealthy"),
        ("curl https://a", 28, "", "unhealthy"),
        ("curl -s https://a", 52, "", "unhealthy"),
        ("curl -s https://a", 2, "curl: bad", "failed"),
        ("curl -s http://redis:6379", 1, "", "ok"),
        ("curl -s http://postgresql:5432", 52, "", "ok"),
        ("curl -s http://redis:6379", 7, "", "unhealthy"),
        ("curl -s http://redis:6379", 0, "", "ok"),
        (EXEC + "curl -s http://redis:6379", 1, "command terminated with exit code 1", "ok"),
        (EXEC + "curl -s http://postgresql:5432", 52, "command terminated with exit code 52", "ok"),
        (EXEC + "curl -s http://redis:6379", 7, "command terminated with exit code 7", "unhealthy"),
        (EXEC + "curl -s http://redis:6379", 1, "error: unable to upgrade connection", "failed"),
        (
            EXEC + "curl -s http://a:5432\n" + EXEC + "curl -s http://b:6379",
            1,
            "command terminated with exit code 7\ncommand terminated with exit code 1",
            "unhealthy",
        ),
        (
            EXEC + "curl -s http://a:5432\n" + EXEC + "curl -s http://b:6379",
            1,
            "command terminated with exit code 52\ncommand terminated with exit code 1",
            "ok",
        ),
    ],
)
def test_any_answer_of_what_speaks_no_http_means_reachable(command: str, code: int, err: str, wanted: str) -> None:
    assert told(command, code, err=err)[0] == wanted


@pytest.mark.parametrize(
    ("command", "code", "err", "wanted"),
    [
        ("kubectl logs x | grep -i error", 1, "", "nothing_found"),
        ("kubectl logs x | grep error", 0, "", "ok"),
        ("grep error f", 2, "grep: f: No such file", "failed"),
        ("kubectl logs x | grep a", 1, "Error from server: no", "failed"),
        (EXEC + "grep a f", 1, "command terminated with exit code 1", "nothing_found"),
        ("false", 1, "", "failed"),
        ("! grep a f", 1, "", "nothing_found"),
        ("kubectl get pods -n a", 0, "No resources found in a.", "nothing_found"),
    ],
)
def test_grep_without_a_match_is_no_failure(command: str, code: int, err: str, wanted: str) -> None:
    assert told(command, code, err=err)[0] == wanted


@pytest.mark.parametrize(
    ("ready", "status", "wanted"),
    [
        ("1/1", "Running", "ok"),
        ("0/1", "Running", "unhealthy"),
        ("0/1", "CrashLoopBackOff", "unhealthy"),
        ("0/1", "ImagePullBackOff", "unhealthy"),
        ("0/1", "Completed", "ok"),
        ("1/1", "Terminating", "ok"),
        ("0/1", "Pending", "unhealthy"),
        ("0/1", "Error", "unhealthy"),
    ],
)
def test_pods_are_judged_by_their_table(ready: str, status: str, wanted: str) -> None:
    assert told("kubectl get pods", out=PODS.format(ready=ready, status=status))[0] == wanted


@pytest.mark.parametrize(
    ("table", "wanted"),
    [
        ("NAME  READY  UP-TO-DATE  AVAILABLE  AGE\nb  1/2  2  1  5m\n", "unhealthy"),
        ("NAME  READY  UP-TO-DATE  AVAILABLE  AGE\nb  2/2  2  2  5m\n", "ok"),
        ("NAME  STATUS  ROLES  AGE  VERSION\nn1  NotReady  worker  5d  v1\n", "unhealthy"),
        ("NAME  STATUS  ROLES  AGE  VERSION\nn1  Ready,SchedulingDisabled  worker  5d  v1\n", "ok"),
        ("NAMESPACE  NAME  READY  STATUS  RESTARTS  AGE\na  b  0/1  Error  5 (2m ago)  5m\n", "unhealthy"),
        (PODS.format(ready="1/1", status="Running") + '---\n{"status":"DOWN"}', "ok"),
    ],
)
def test_other_tables_are_read_too(table: str, wanted: str) -> None:
    assert told("kubectl get x", out=table)[0] == wanted


def test_the_reason_names_what_is_wrong() -> None:
    assert (
        told("kubectl get pods", out=PODS.format(ready="0/1", status="CrashLoopBackOff"))[1]
        == "backend-1 is CrashLoopBackOff"
    )
    assert told("curl -s x", status=503)[1] == "https://a/health answered 503"
    assert "was refused" in told("curl -s x", 7)[1]


@pytest.mark.parametrize(
    ("command", "code", "err", "wanted"),
    [
        ("kubectl rollout status deploy/x", 1, "error: timed out waiting for the condition", "unhealthy"),
        ("kubectl rollout status deploy/x", 1, 'error: deployment "x" exceeded its progress deadline', "unhealthy"),
        ("kubectl rollout status deploy/x", 1, 'Error from server (NotFound): deployments "x" not found', "failed"),
        ("kubectl get events | tail -20", 0, "Unable to connect to the server: refused", "failed"),
        (EXEC + "ping -c 3 postgresql", 1, "command terminated with exit code 1", "unhealthy"),
        ("ping -c 3 x", 2, "ping: x: Name or service not known", "unhealthy"),
        ("nope", 127, "bash: nope: command not found", "failed"),
        ("x", -9, "", "failed"),
        ("x", 137, "", "failed"),
        ('curl -s -o /dev/null -w "%{http_code}" https://a', 0, "", "ok"),
    ],
)
def test_endings_of_other_programs(command: str, code: int, err: str, wanted: str) -> None:
    assert told(command, code, err=err)[0] == wanted


def test_a_status_written_by_the_documents_own_curl_counts() -> None:
    assert told('curl -s -o /dev/null -w "%{http_code}" https://a', out="503")[0] == "unhealthy"
    assert told('curl -s -o /dev/null -w "%{http_code}" https://a', out="200")[0] == "ok"


def test_a_health_answer_that_says_down_is_believed() -> None:
    assert told("curl -s https://a/actuator/health", out='{"status":"DOWN"}')[0] == "unhealthy"
    assert told("curl -s https://a/actuator/health", out='{"status":"UP"}')[0] == "ok"


def test_a_time_out_and_a_shell_that_did_not_start() -> None:
    stopped = Ending(-15, "", "", 0, True, ())
    assert judge("sleep 9", stopped, timeout=timedelta(seconds=2))[0] is Outcome.TIMED_OUT
    assert told("x", None, err="/bin/none: No such file or directory")[0] == "failed"
