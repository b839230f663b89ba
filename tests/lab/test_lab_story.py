"""The practice production broken and mended through real processes, as the runbook's commands do it."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tocsin.lab.alerting import Alerting, Receiver, Rule
from tocsin.lab.errors import LabError
from tocsin.lab.production import Production

pytestmark = pytest.mark.e2e


def until(met: Callable[[], bool], seconds: float = 15.0) -> bool:
    """Whether it comes true in time; the limit only ends a test that has failed."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if met():
            return True
        time.sleep(0.05)
    return False


def restarts(production: Production, pod: str) -> int:
    """How often the pod's container was started again."""
    found = next(each for each in production.pods() if each["metadata"]["name"] == pod)
    return int(found["status"]["containerStatuses"][0]["restartCount"])


def alive(pid: int) -> bool:
    """Whether a process runs (one that is dead and not yet reaped does not)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_a_bad_release_fails_requests_and_rollout_undo_really_restores_the_good_version(tmp_path: Path) -> None:
    with Production(tmp_path) as production:
        assert production.run("curl -s -o /dev/null -w '%{http_code}' http://qawave.example/health").stdout == "200"
        production.deploy("v2")
        assert until(lambda: production.error_ratio() > 0.1)
        assert until(lambda: production.health() == 503)
        assert until(lambda: '"DOWN"' in production.run("curl -s http://qawave.example/health").stdout)
        assert until(lambda: "0/1" in production.run("kubectl get pods -n production -l app=backend").stdout)

        errors = production.run("kubectl logs -l app=backend --tail=200 -n production --since=30m | grep -i error")
        assert "PoolTimeoutError" in errors.stdout
        undone = production.run("kubectl rollout undo deployment/backend -n production")
        assert undone == (0, "deployment.apps/backend rolled back\n", "")
        status = production.run("kubectl rollout status deployment/backend -n production --timeout=30s")
        assert status.stdout.endswith('deployment "backend" successfully rolled out\n')

        assert until(lambda: production.health() == 200)
        assert production.version() == "v1"
        assert until(lambda: production.error_ratio(seconds=2) == 0.0)
        history = production.run("kubectl rollout history deployment/backend -n production").stdout
        assert history.split() == ["deployment.apps/backend", "REVISION", "CHANGE-CAUSE", "2", "<none>", "3", "<none>"]


def test_a_pod_that_ends_is_started_again_and_its_earlier_log_can_be_read(tmp_path: Path) -> None:
    with Production(tmp_path) as production:
        pod = production.pods("backend")[0]["metadata"]["name"]
        os.kill(production.processes()[pod], signal.SIGKILL)
        assert until(lambda: restarts(production, pod) == 1)
        before = production.run(f"kubectl logs {pod} -n production --previous")
        assert "backend v1 started" in before.stdout
        os.kill(production.processes()[pod], signal.SIGKILL)
        assert until(lambda: "BackOff" in production.run(f"kubectl describe pod {pod} -n production").stdout)
        told = production.run(f"kubectl describe pod {pod} -n production").stdout
        assert "Exit Code:    137" in told


def test_scale_restart_and_delete_start_and_stop_real_processes(tmp_path: Path) -> None:
    with Production(tmp_path) as production:
        follow = "kubectl rollout status deployment/backend -n production --timeout=30s"
        production.run("kubectl delete hpa backend -n production")
        production.run(f"kubectl scale deployment/backend --replicas=4 -n production && {follow}")
        pods = {name: pid for name, pid in production.processes().items() if name.startswith("backend-")}
        assert len(pods) == 4
        production.run(f"kubectl rollout restart deployment/backend -n production && {follow}")
        assert until(lambda: not any(alive(pid) for pid in pods.values()))
        assert until(lambda: not pods.keys() & production.processes().keys())
        name = production.run("kubectl get pods -n production -l app=backend -o name | head -1").stdout.strip()
        assert production.run(f"kubectl delete {name} -n production").rc == 0
        assert until(lambda: name.removeprefix("pod/") not in production.processes())
        assert production.run(f"{follow}; kubectl get deploy backend -n production").stdout.count("4/4") == 1


def test_alerting_fires_on_requests_that_really_fail(tmp_path: Path) -> None:
    with Production(tmp_path) as production:
        nobody = Receiver("http://127.0.0.1:9/alerts", "secret")
        alerting = Alerting(lambda: production.error_ratio(seconds=2), nobody, rule=Rule(hold=0.1), poll_s=0.1)
        alerting.start()
        try:
            production.deploy("v2")
            assert until(lambda: ("firing", 0) in alerting.sent)
        finally:
            alerting.stop()
        assert {answered for _, answered in alerting.sent} == {0}


def test_nothing_outlives_a_parent_that_is_killed(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from tocsin.lab.production import Production\n"
        "production = Production(Path(sys.argv[1])); production.start()\n"
        "mine = [each.pid for each in production._processes]\n"
        "print(*mine, *production.processes().values(), flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout:
        children = [int(word) for word in parent.stdout.readline().split()]
    assert len(children) == 8
    assert all(alive(pid) for pid in children)
    parent.kill()
    parent.wait()
    assert until(lambda: not any(alive(pid) for pid in children))


def test_two_productions_in_one_directory_are_refused(production: Production) -> None:
    with pytest.raises(LabError, match="another practice production is running"):
        Production(production.state_dir).start()


def test_a_port_in_use_is_refused_with_one_line(production: Production, tmp_path: Path) -> None:
    with pytest.raises(LabError, match=rf"port {production.port} on 127.0.0.1: Address already in use"):
        Production(tmp_path, gateway_port=production.port).start()


def test_it_is_an_asynchronous_context_manager_too(tmp_path: Path) -> None:
    async def visit() -> int:
        async with Production(tmp_path) as production:
            return await asyncio.to_thread(production.health)

    assert asyncio.run(visit()) == 200
