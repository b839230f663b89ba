"""What is shipped in deploy/ can be read, and asks only for what there is."""

from __future__ import annotations

import configparser
import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tocsin.bootstrap import compose
from tocsin.cli.main import app
from tocsin.config import load
from tocsin.store.database import Store
from tocsin.web.metrics import scrape

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
RULES = DEPLOY / "prometheus" / "tocsin-alerts.yml"
DASHBOARD = DEPLOY / "grafana" / "tocsin.json"
_METRIC = re.compile(r"\b(?:tocsin|process)_[a-z0-9_]+")
needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Every sample that /metrics has once everything is configured, and the labels of each."""
    folder = tmp_path_factory.mktemp("house")
    (folder / "tocsin.toml").write_text('[people.me]\n[roles]\n"*" = "me"\n[ingest]\nspool = "spool"\n')
    settings = load(folder / "tocsin.toml", environ={})
    store = Store(settings.database.get_secret_value())
    house = compose(settings, store=store)
    house.engine.alive = house.core.clock.now()
    house.core.meters.level("backup", 1.0)
    house.core.meters.level("heartbeat", 1.0)
    house.core.meters.delivered("email", "delivered", 0.1)
    text = scrape(house).decode()
    house.ingest.close()
    store.close()
    return {s.name: set(s.labels) for family in text_string_to_metric_families(text) for s in family.samples}


def documents(name: str) -> list[dict[str, Any]]:
    with (DEPLOY / name).open(encoding="utf-8") as file:
        return [document for document in yaml.safe_load_all(file) if document]


def rules() -> list[dict[str, Any]]:
    return [rule for group in documents("prometheus/tocsin-alerts.yml")[0]["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    return [panel for panel in found if panel["type"] != "row"]


def queries() -> list[str]:
    return [target["expr"] for panel in panels() for target in panel["targets"]]


def test_rules_and_dashboard_ask_for_metrics_that_there_are(served: dict[str, set[str]]) -> None:
    asked = set(_METRIC.findall("\n".join([*queries(), *(rule["expr"] for rule in rules())])))
    assert sorted(asked - served.keys()) == []


def test_the_dashboard_shows_every_metric(served: dict[str, set[str]]) -> None:
    shown = set(_METRIC.findall("\n".join(queries())))
    families = {re.sub(r"_(bucket|sum|count|created)$", "", name) for name in served if name.startswith("tocsin_")}
    assert sorted(f for f in families if not any(name.startswith(f) for name in shown)) == []


def test_every_metric_is_explained(served: dict[str, set[str]]) -> None:
    said = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    families = {re.sub(r"_(bucket|sum|count|created)$", "", name) for name in served if name.startswith("tocsin_")}
    assert sorted(family for family in families if f"`{family}`" not in said) == []


def test_labels_that_are_asked_for_exist(served: dict[str, set[str]]) -> None:
    asked = re.findall(r"(tocsin_\w+)\{([^}]*)\}", "\n".join([*queries(), *(rule["expr"] for rule in rules())]))
    for metric, selector in asked:
        labels = set(re.findall(r"(\w+)\s*[=!]~?", selector)) - {"job", "instance"}
        assert labels <= served[metric], (metric, labels)


def test_panels_do_not_lie_upon_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + dx, at["y"] + dy) for dx in range(at["w"]) for dy in range(at["h"])}
        assert not taken & cells, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells


def test_every_rule_says_what_is_wrong_and_how_bad_it_is() -> None:
    assert len({rule["alert"] for rule in rules()}) == len(rules())
    for rule in rules():
        assert rule["labels"]["severity"] in ("critical", "warning", "none"), rule["alert"]
        assert rule["annotations"]["summary"], rule["alert"]


@needs_promtool
def test_the_rules_pass_their_tests() -> None:
    done = subprocess.run(
        ["promtool", "test", "rules", "tocsin-alerts.test.yml"], cwd=RULES.parent, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_every_query_of_the_dashboard_is_promql(tmp_path: Path) -> None:
    named = {"$job": "tocsin", "$instance": ".*", "$__rate_interval": "1m"}
    exprs = [re.sub(r"\$\w+", lambda m: named[m[0]], query) for query in queries()]
    recording = [{"record": f"query:{n}", "expr": expr} for n, expr in enumerate(exprs)]
    path = tmp_path / "queries.yml"
    path.write_text(json.dumps({"groups": [{"name": "queries", "rules": recording}]}), encoding="utf-8")
    done = subprocess.run(["promtool", "check", "rules", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["kubernetes/tocsin.yaml", "kubernetes/runner.yaml"])
def test_manifests_are_whole(name: str) -> None:
    for document in documents(name):
        assert document["apiVersion"]
        assert document["kind"]
        assert document["metadata"]["name"]


def test_the_pods_are_asked_what_the_server_answers() -> None:
    served_by = next(d for d in documents("kubernetes/tocsin.yaml") if d["kind"] == "StatefulSet")
    (container,) = served_by["spec"]["template"]["spec"]["containers"]
    asked = {container[probe]["httpGet"]["path"] for probe in ("readinessProbe", "livenessProbe", "startupProbe")}
    assert asked == {"/readyz?to=alerts", "/healthz"}
    claimed = {v["metadata"]["name"] for v in served_by["spec"]["volumeClaimTemplates"]}
    volumes = claimed | {v["name"] for v in served_by["spec"]["template"]["spec"]["volumes"]}
    assert {mount["name"] for mount in container["volumeMounts"]} <= volumes


def test_the_settings_of_the_manifest_are_taken(tmp_path: Path) -> None:
    files = next(d for d in documents("kubernetes/tocsin.yaml") if d["kind"] == "ConfigMap")["data"]
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    secret = next(d for d in documents("kubernetes/tocsin.yaml") if d["kind"] == "Secret")["stringData"]
    settings = load(tmp_path / "tocsin.toml", environ=secret)
    assert settings.runbook.is_file()
    assert settings.ingest.spool == Path("/var/lib/tocsin/spool")


def test_containers_and_units_call_commands_that_there_are() -> None:
    known = {command.name or getattr(command.callback, "__name__", "") for command in app.registered_commands}
    assert {"serve", "runner"} <= known | {name.replace("_", "-") for name in known}
    called = [containers["args"][0] for d in _workloads() for containers in d["spec"]["template"]["spec"]["containers"]]
    for unit in sorted((DEPLOY / "systemd").glob("*.service")):
        called.append(shlex.split(_unit(unit)["Service"]["ExecStart"])[1])
    called.append(json.loads(re.findall(r"^CMD (.*)$", _dockerfile(), re.MULTILINE)[-1])[0])
    assert set(called) <= known


def _workloads() -> Iterator[dict[str, Any]]:
    for name in ("kubernetes/tocsin.yaml", "kubernetes/runner.yaml"):
        yield from (d for d in documents(name) if d["kind"] in ("StatefulSet", "Deployment"))


def _unit(path: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(path, encoding="utf-8")
    return parser


def _dockerfile() -> str:
    return (DEPLOY / "docker" / "Dockerfile").read_text(encoding="utf-8")


@pytest.mark.parametrize("unit", ["tocsin.service", "tocsin-runner.service"])
def test_units_come_back_by_themselves(unit: str) -> None:
    read = _unit(DEPLOY / "systemd" / unit)
    assert read["Service"]["Restart"] == "always"
    assert read["Unit"]["StartLimitIntervalSec"] == "0"
    assert read["Install"]["WantedBy"] == "multi-user.target"


def test_the_compose_file_keeps_its_data_and_builds_what_is_there() -> None:
    (composed,) = documents("docker/compose.yaml")
    service = composed["services"]["tocsin"]
    context = (DEPLOY / "docker" / service["build"]["context"]).resolve()
    assert context == ROOT
    assert (context / service["build"]["dockerfile"]).is_file()
    assert "data:/var/lib/tocsin" in service["volumes"]
    assert {"data", "postgres"} == composed["volumes"].keys()


def test_the_image_copies_files_that_there_are() -> None:
    for line in re.findall(r"^COPY (?!--from)(.*)$", _dockerfile(), re.MULTILINE):
        *sources, _ = line.split()
        assert [source for source in sources if not (ROOT / source).exists()] == []
    assert re.search(r"^USER 10001$", _dockerfile(), re.MULTILINE)
