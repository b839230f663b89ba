"""A real Prometheus and two real Alertmanagers, unknown to each other, all their receivers pointing at Tocsin."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from textwrap import dedent
from typing import Any

import httpx
import pytest
from serving import ALERT_TOKEN, Server, free_port

PROMETHEUS, ALERTMANAGER = shutil.which("prometheus"), shutil.which("prometheus-alertmanager")
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.xdist_group("e2e"),
    pytest.mark.skipif(not (PROMETHEUS and ALERTMANAGER), reason="prometheus and prometheus-alertmanager are absent"),
]

SETTINGS = """
database = "sqlite:///tocsin.db"
public_url = "http://127.0.0.1:{port}"
[severity]
critical = "SEV1"
[roles]
"*" = "ana"
[people.ana]
name = "Ana"
[sources.alerts]
token = "env:TOCSIN_ALERT_TOKEN"
[sources.email]
listen = "127.0.0.1:{mail}"
token = "env:TOCSIN_ALERT_TOKEN"
"""
RULES = """
groups:
- name: shop
  rules:
  - alert: HighErrorRate
    expr: shop_failing > 0
    labels: {severity: critical}
    annotations: {summary: "5xx above 5% on {{ $labels.service }}{{ $labels.path }}"}
"""
SCRAPES = """
global: {scrape_interval: 500ms, evaluation_interval: 500ms}
rule_files: [rules/*.yaml]
scrape_configs:
SCRAPEDalerting:
  alertmanagers:
  - static_configs: [{targets: ["127.0.0.1:ALERTMANAGER", "127.0.0.1:PEER"]}]
  - static_configs: [{targets: ["127.0.0.1:TOCSIN"]}]
    authorization: {credentials: TOKEN}
"""
EVERY_WAY = {"webhook", "pagerduty", "opsgenie", "email"}
SCRAPED = """\
- job_name: JOB
  metrics_path: /JOB
  static_configs: [{targets: ["127.0.0.1:SHOP"]}]
"""
ROUTES = """
route:
  receiver: all
  group_by: [GROUPED]
  group_wait: 500ms
  group_interval: 1s
  repeat_interval: 1h
receivers:
- name: all
  webhook_configs:
  - url: http://127.0.0.1:TOCSIN/api/v1/alerts/alertmanager
    http_config: {authorization: {credentials: TOKEN}}
  pagerduty_configs:
  - {url: "http://127.0.0.1:TOCSIN/v2/enqueue", routing_key: TOKEN}
  opsgenie_configs:
  - {api_url: "http://127.0.0.1:TOCSIN/", api_key: TOKEN, update_alerts: true}
  email_configs:
  - {to: "alerts+TOKEN@tocsin.example", from: am@lab.example, smarthost: "127.0.0.1:MAIL", hello: lab,
     require_tls: false, send_resolved: true}
"""


class Shop(ThreadingHTTPServer):
    """What Prometheus scrapes; `failing` are the (service, path) that fail now."""

    def __init__(self) -> None:
        self.failing: set[tuple[str, str]] = set()
        super().__init__(("127.0.0.1", 0), _Metrics)

    def answers(self, job: str) -> bool:
        """Whether it can be scraped there."""
        return True

    def text(self, job: str) -> str:
        paths = [("checkout", "/cart"), ("checkout", "/pay"), ("search", "/find")]
        return "".join(f'shop_failing{{service="{s}",path="{p}"}} {int((s, p) in self.failing)}\n' for s, p in paths)


class QAWave(Shop):
    """What the QAWave rules look at; `failing` are the (job, thing) that are down now."""

    def text(self, job: str) -> str:
        gone = {thing for _, thing in self.failing}
        pods = "".join(
            f'kube_pod_status_ready{{namespace="qawave",condition="true",pod="{pod}"}} {int(pod not in gone)}\n'
            for pod in ("api-1", "api-2", "web-1")
        )
        databases = {"postgresql": "pg_up", "redis": "redis_up"}
        said = {job: f"{name} {int(job not in gone)}\n" for job, name in databases.items()}
        return (said | {"kubernetes": pods}).get(job, "")

    def answers(self, job: str) -> bool:
        return job not in {down for down, _ in self.failing}


class _Metrics(BaseHTTPRequestHandler):
    server: Shop

    def do_GET(self) -> None:
        job = self.path.strip("/")
        self.send_response(200 if self.server.answers(job) else 503)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(self.server.text(job).encode())

    def log_message(self, format: str, *args: object) -> None:
        """Nothing on the test's output."""


class Receiver(Server):
    """A Tocsin that also takes mail, at the port `mail`."""

    def __init__(self, folder: Path) -> None:
        self.mail = free_port()
        super().__init__(folder, SETTINGS.replace("{mail}", str(self.mail)))


class Watch:
    """Prometheus and Alertmanager in `folder`, about a shop, told to tell Tocsin.

    `rules` are files by name, `jobs` what Prometheus scrapes at `/JOB`, `grouped` how Alertmanager groups.
    """

    def __init__(
        self, folder: Path, shop: Shop, tocsin: Receiver, *, rules: dict[str, str], jobs: tuple[str, ...], grouped: str
    ) -> None:
        self.folder = folder
        self.ports = {
            "SHOP": shop.server_address[1],
            "ALERTMANAGER": free_port(),
            "PEER": free_port(),
            "TOCSIN": tocsin.port,
            "MAIL": tocsin.mail,
        }
        self.prometheus_port = free_port()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        (folder / "rules").mkdir()
        for name, text in rules.items():
            (folder / "rules" / name).write_text(text)
        scraped = "".join(SCRAPED.replace("JOB", job) for job in jobs)
        (folder / "prometheus.yml").write_text(self._filled(SCRAPES.replace("SCRAPED", scraped)))
        (folder / "alertmanager.yml").write_text(self._filled(ROUTES.replace("GROUPED", grouped)))

    def start_alertmanager(self, name: str = "ALERTMANAGER") -> None:
        listen = f"--web.listen-address=127.0.0.1:{self.ports[name]}"
        self._start(name, [str(ALERTMANAGER), "--config.file=alertmanager.yml", f"--storage.path=data-{name}", listen,
                           "--cluster.listen-address="])  # fmt: skip

    def start_prometheus(self) -> None:
        self._start("prometheus", [str(PROMETHEUS), "--config.file=prometheus.yml", "--storage.tsdb.path=data",
                                   f"--web.listen-address=127.0.0.1:{self.prometheus_port}",
                                   "--rules.alert.resend-delay=2s"])  # fmt: skip

    def stop(self, name: str) -> None:
        process = self._processes.pop(name)
        process.terminate()
        process.wait(20)

    def stop_all(self) -> None:
        for name in list(self._processes):
            self.stop(name)

    def delivered(self) -> set[str]:
        """The kinds of receivers that Alertmanager has reached since it started, and has nothing under way to now.

        It tells of an end only those whom it knows to have told of the beginning: what it has not heard the answer of
        when everything stops, it never takes back. What failed is sent again at the next interval.
        """
        text = httpx.get(f"http://127.0.0.1:{self.ports['ALERTMANAGER']}/metrics", timeout=60).text
        begun, failed, ended = (
            {
                kind: int(count)
                for kind, count in re.findall(
                    rf'^alertmanager_{name}\{{integration="(\w+)".*\}} (\d+)', text, re.MULTILINE
                )
            }
            for name in ("notifications_total", "notifications_failed_total", "notification_latency_seconds_count")
        )
        return {kind for kind, count in begun.items() if 0 < count - failed.get(kind, 0) <= ended.get(kind, 0)}

    def answers(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.ports['ALERTMANAGER']}/-/ready", timeout=60).is_success
        except httpx.TransportError:
            return False

    def _filled(self, text: str) -> str:
        for name, port in self.ports.items():
            text = text.replace(f":{name}", f":{port}")
        return text.replace("TOKEN", ALERT_TOKEN)

    def _start(self, name: str, command: list[str]) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log)


@contextmanager
def scraped(server: Shop) -> Iterator[None]:
    """The server answers meanwhile."""
    with server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield
        server.shutdown()
        thread.join()


@contextmanager
def watching(watch: Watch) -> Iterator[None]:
    """Prometheus and both Alertmanagers run meanwhile."""
    watch.start_alertmanager()
    watch.start_alertmanager("PEER")
    watch.start_prometheus()
    try:
        yield
    finally:
        watch.stop_all()


@pytest.fixture
def tocsin(tmp_path: Path) -> Iterator[Receiver]:
    folder = tmp_path / "tocsin"
    folder.mkdir()
    server = Receiver(folder)
    server.start()
    yield server
    server.stop()
    server.client.close()


def test_every_way_of_telling_makes_one_incident_a_service_from_firing_to_resolved(
    tocsin: Receiver, tmp_path: Path
) -> None:
    shop = Shop()
    watch = Watch(tmp_path, shop, tocsin, rules={"shop.yaml": RULES}, jobs=("shop",), grouped="alertname, service")
    with scraped(shop), watching(watch):
        from_firing_to_resolved(tocsin, watch, shop)


def from_firing_to_resolved(tocsin: Server, watch: Watch, shop: Shop) -> None:
    ana = tocsin.token("Ana")

    def shown(number: int = 1) -> dict[str, Any]:
        answer = tocsin.client.get(f"/api/v1/incidents/{number}", headers=ana)
        return answer.json() if answer.is_success else {}

    def firing(total: int, count: int, number: int = 1) -> bool:
        """Whether so many alerts are known, and so many of them fire.

        An Alertmanager that starts again may hear first of what has ended, tell of an end, and then of the rest: the
        same alert begins twice, and is one.
        """
        answer = tocsin.client.get(f"/api/v1/incidents/{number}/alerts", headers=ana)
        listed = answer.json()["alerts"] if answer.is_success else []
        return (len(listed), sum(a["status"] == "firing" for a in listed)) == (total, count)

    # two alerts of one group: Prometheus, webhook and mail tell of each, PagerDuty and Opsgenie of the group
    shop.failing = {("checkout", "/cart"), ("checkout", "/pay")}
    tocsin.until(lambda: firing(5, 5))
    assert (shown()["severity"], shown()["service"]) == ("SEV1", "checkout")

    # one stops: the incident stays, its group still fires
    shop.failing = {("checkout", "/cart")}
    tocsin.until(lambda: firing(5, 3))

    tocsin.until(lambda: watch.delivered() == EVERY_WAY)

    # Alertmanager starts again and tells once more what it has not told yet
    watch.stop("ALERTMANAGER")
    watch.start_alertmanager()
    tocsin.until(watch.answers)
    shop.failing = {("checkout", "/cart"), ("search", "/find")}
    tocsin.until(lambda: firing(3, 3, number=2) and firing(5, 3) and watch.delivered() == EVERY_WAY)

    # everything stops
    shop.failing = set()
    tocsin.until(lambda: firing(5, 0) and firing(3, 0, number=2))
    incidents = tocsin.client.get("/api/v1/incidents", headers=ana).json()["incidents"]
    assert sorted(i["service"] for i in incidents) == ["checkout", "search"]
    assert [len({(p["role"], p["person"]) for p in shown(n)["pages"]}) for n in (1, 2)] == [1, 1]
    timeline = tocsin.client.get("/api/v1/incidents/1/timeline", headers=ana).json()
    assert len({entry["data"]["fingerprint"] for entry in timeline if entry["type"] == "AlertFired"}) == 5
    assert ALERT_TOKEN not in tocsin.log


SHARED = Path(__file__).parents[2].parent / "shared" / "fixtures" / "rules"


def qawave_rules() -> dict[str, str]:
    """The team's rules as Prometheus takes them: of each PrometheusRule its `.spec`, and without its patience."""
    found = {path.name: path.read_text().partition("\nspec:\n")[2] for path in sorted(SHARED.glob("*.yaml"))}
    return {name: re.sub(r"(for|interval): \d+[smh]", r"\1: 500ms", dedent(text)) for name, text in found.items()}


@pytest.mark.skipif(not SHARED.exists(), reason="the QAWave rules are not here")
def test_a_teams_rules_grouped_across_services_open_one_incident_each_over_a_restart(
    tocsin: Receiver, tmp_path: Path
) -> None:
    """PagerDuty and Opsgenie are told of groups that hold several services, the webhook of each alert."""
    rules, wave, ana = qawave_rules(), QAWave(), tocsin.token("Ana")
    jobs = ("qawave-backend", "qawave-frontend", "keycloak", "postgresql", "redis", "kubernetes")
    watch = Watch(tmp_path, wave, tocsin, rules=rules, jobs=jobs, grouped="severity")

    def incidents() -> dict[str, dict[str, Any]]:
        listed = tocsin.client.get("/api/v1/incidents?status=all", headers=ana).json()["incidents"]
        found = {i["service"]: i for i in listed}
        assert len(found) == len(listed), [(i["number"], i["service"], i["title"]) for i in listed]
        return found

    def firing(**wanted: int) -> bool:
        """Alerts that each service's own rules have firing, as the webhook and Prometheus tell of them."""
        shown = incidents()
        names = {service.replace("-", "_"): i["number"] for service, i in shown.items()}
        own = {name: own_firing(number) for name, number in names.items()}
        return own == wanted

    def own_firing(number: int) -> int:
        listed = tocsin.client.get(f"/api/v1/incidents/{number}/alerts", headers=ana).json()["alerts"]
        return len([a for a in listed if a["status"] == "firing" and a["source"] in ("alertmanager", "prometheus")])

    with scraped(wave), watching(watch):
        wave.failing = {("qawave-backend", ""), ("", "postgresql"), ("", "api-1"), ("", "api-2")}
        tocsin.until(lambda: firing(backend=1, postgresql=1, kubernetes=2))
        tocsin.until(lambda: watch.delivered() == EVERY_WAY)

        # one pod is ready again, and Alertmanager restarts while another service goes down
        wave.failing -= {("", "api-2")}
        tocsin.until(lambda: firing(backend=1, postgresql=1, kubernetes=1))
        watch.stop("ALERTMANAGER")
        wave.failing |= {("", "redis")}
        watch.start_alertmanager()
        tocsin.until(watch.answers)
        tocsin.until(lambda: firing(backend=1, postgresql=1, kubernetes=1, redis=1))
        tocsin.until(lambda: watch.delivered() == EVERY_WAY)

        # everything is over, and no incident was opened beside these
        wave.failing = set()
        tocsin.until(lambda: firing(backend=0, postgresql=0, kubernetes=0, redis=0))
        tocsin.until(lambda: all(i["alerts_firing"] == 0 for i in incidents().values()))
    shown = [tocsin.client.get(f"/api/v1/incidents/{i['number']}", headers=ana).json() for i in incidents().values()]
    assert {i["service"]: i["severity"] for i in shown} == {
        "backend": "SEV1", "postgresql": "SEV1", "redis": "SEV1", "kubernetes": "SEV3"
    }  # fmt: skip
    assert all(len({(p["role"], p["person"]) for p in i["pages"]}) <= 1 for i in shown)
