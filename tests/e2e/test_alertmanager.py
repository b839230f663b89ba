"""A real Prometheus and two real Alertmanagers, unknown to each other, all their receivers pointing at Tocsin."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
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
rule_files: [rules.yml]
scrape_configs:
- job_name: shop
  static_configs: [{targets: ["127.0.0.1:SHOP"]}]
alerting:
  alertmanagers:
  - static_configs: [{targets: ["127.0.0.1:ALERTMANAGER", "127.0.0.1:PEER"]}]
  - static_configs: [{targets: ["127.0.0.1:TOCSIN"]}]
    authorization: {credentials: TOKEN}
"""
ROUTES = """
route:
  receiver: all
  group_by: [alertname, service]
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
"""


class Shop(ThreadingHTTPServer):
    """What Prometheus scrapes; `failing` are the (service, path) that fail now."""

    def __init__(self) -> None:
        self.failing: set[tuple[str, str]] = set()
        super().__init__(("127.0.0.1", 0), _Metrics)

    def text(self) -> str:
        paths = [("checkout", "/cart"), ("checkout", "/pay"), ("search", "/find")]
        return "".join(f'shop_failing{{service="{s}",path="{p}"}} {int((s, p) in self.failing)}\n' for s, p in paths)


class _Metrics(BaseHTTPRequestHandler):
    server: Shop

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(self.server.text().encode())

    def log_message(self, format: str, *args: object) -> None:
        """Nothing on the test's output."""


class Watch:
    """Prometheus and Alertmanager in `folder`, about a shop, told to tell Tocsin."""

    def __init__(self, folder: Path, shop: Shop, tocsin: int) -> None:
        self.folder = folder
        self.ports = {
            "SHOP": shop.server_address[1],
            "ALERTMANAGER": free_port(),
            "PEER": free_port(),
            "TOCSIN": tocsin,
        }
        self.prometheus_port = free_port()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        (folder / "rules.yml").write_text(RULES)
        (folder / "prometheus.yml").write_text(self._filled(SCRAPES))
        (folder / "alertmanager.yml").write_text(self._filled(ROUTES))

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
        """The kinds of receivers that Alertmanager has reached, none of whose deliveries failed."""
        text = httpx.get(f"http://127.0.0.1:{self.ports['ALERTMANAGER']}/metrics").text
        pattern = r'alertmanager_notifications(_failed)?_total\{integration="(\w+)".*\} (\d+)'
        counted = [(kind, bool(failed)) for failed, kind, count in re.findall(pattern, text) if int(count)]
        return {kind for kind, failed in counted if not failed} - {kind for kind, failed in counted if failed}

    def answers(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.ports['ALERTMANAGER']}/-/ready").is_success
        except httpx.TransportError:
            return False

    def _filled(self, text: str) -> str:
        for name, port in self.ports.items():
            text = text.replace(f":{name}", f":{port}")
        return text.replace("TOKEN", ALERT_TOKEN)

    def _start(self, name: str, command: list[str]) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log)


@pytest.fixture
def shop() -> Iterator[Shop]:
    with Shop() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def tocsin(tmp_path: Path) -> Iterator[Server]:
    folder = tmp_path / "tocsin"
    folder.mkdir()
    server = Server(folder, SETTINGS)
    server.start()
    yield server
    server.stop()
    server.client.close()


@pytest.fixture
def watch(tmp_path: Path, shop: Shop, tocsin: Server) -> Iterator[Watch]:
    found = Watch(tmp_path, shop, tocsin.port)
    found.start_alertmanager()
    found.start_alertmanager("PEER")
    found.start_prometheus()
    yield found
    found.stop_all()


def test_every_way_of_telling_makes_one_incident_a_service_from_firing_to_resolved(
    tocsin: Server, watch: Watch, shop: Shop
) -> None:
    ana = tocsin.token("Ana")

    def shown(number: int = 1) -> dict[str, Any]:
        answer = tocsin.client.get(f"/api/v1/incidents/{number}", headers=ana)
        return answer.json() if answer.is_success else {}

    def firing(total: int, count: int) -> bool:
        return (shown().get("alerts_total"), shown().get("alerts_firing")) == (total, count)

    # two alerts of one group: each is told by Prometheus and twice by webhook; PagerDuty and Opsgenie tell of the group
    shop.failing = {("checkout", "/cart"), ("checkout", "/pay")}
    tocsin.until(lambda: firing(3, 3))
    assert (shown()["severity"], shown()["service"]) == ("SEV1", "checkout")

    # one stops: the incident stays, its group still fires
    shop.failing = {("checkout", "/cart")}
    tocsin.until(lambda: firing(3, 2))

    assert watch.delivered() == {"webhook", "pagerduty", "opsgenie"}

    # Alertmanager starts again and tells once more what it has not told yet
    watch.stop("ALERTMANAGER")
    watch.start_alertmanager()
    tocsin.until(watch.answers)
    shop.failing = {("checkout", "/cart"), ("search", "/find")}
    tocsin.until(lambda: shown(2).get("alerts_total") == 2)
    assert firing(3, 2)

    # everything stops
    shop.failing = set()
    tocsin.until(lambda: firing(3, 0) and shown(2)["alerts_firing"] == 0)
    incidents = tocsin.client.get("/api/v1/incidents", headers=ana).json()["incidents"]
    assert sorted(i["service"] for i in incidents) == ["checkout", "search"]
    assert [len({(p["role"], p["person"]) for p in shown(n)["pages"]}) for n in (1, 2)] == [1, 1]
    timeline = tocsin.client.get("/api/v1/incidents/1/timeline", headers=ana).json()
    assert len({entry["data"]["fingerprint"] for entry in timeline if entry["type"] == "AlertFired"}) == 3
    assert ALERT_TOKEN not in tocsin.log
