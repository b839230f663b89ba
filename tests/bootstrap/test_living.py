"""Is the runbook still true? Against a practice production that differs in seven ways, and one that does not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import fronts
import httpx
import pytest
from clusters import lab_cluster

from tocsin.bootstrap.living import compare
from tocsin.config import Settings, load
from tocsin.diagnosis.live import Truth
from tocsin.lab.kube.inventory import Shape
from tocsin.lab.production import Production
from tocsin.lab.scenarios import levers
from tocsin.runbook.reader import read

# the practice database is asked whether it is up by connections that only the collector closes
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
MODEL = Path(__file__).parents[2] / ".." / "shared" / "runbooks" / "qawave" / "INCIDENT_RESPONSE.md"
DOCUMENT = """# Shop

## Severity

| Severity | Description | Response Time |
|---|---|---|
| SEV1 | Down | 15 minutes |

## Investigation

### Errors

```bash
# Check health
curl -s https://shop.example.com/health

# Check the pods
kubectl get pods -n production

# Check error metrics
# Prometheus query: rate(http_requests_total{status=~"5.."}[5m])
```

### Database

```bash
# Check slow queries
psql -c "SELECT query, mean_exec_time FROM pg_stat_statements ORDER BY mean_exec_time DESC LIMIT 10;"
```

## Mitigation

| Action | When | Command |
|---|---|---|
| Restart | Stuck | `kubectl rollout restart deployment/worker -n production` |
| Rollback | Bad deployment | `kubectl rollout undo deployment/worker -n production` |
| Scale up | Capacity | `kubectl scale deployment/worker --replicas=3 -n production` |
"""


def settings(folder: Path, production: Production, *, prometheus: str) -> Settings:
    environment = "\n".join(f'{k} = "{v}"' for k, v in production.environment().items() if k != "http_proxy")
    database = f'[[evidence.postgresql]]\nname = "postgresql"\nurl = "{production.database_url}"\n'
    (folder / "tocsin.toml").write_text(
        f'[people.me]\n[roles]\n"*" = "me"\n[sources.prometheus]\nurl = "{prometheus}"\n'
        f'[procedures.environment]\n{environment}\n[evidence]\ntimeout = "40s"\n{database}',
        encoding="utf-8",
    )
    return load(folder / "tocsin.toml", environ={})


async def truth(of: Settings, text: str, web: httpx.AsyncClient) -> Truth:
    return await compare(of, read(text, file="runbook.md").runbook, text, web=web)


@pytest.fixture(scope="module")
def differing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Production]:
    """Built as no document says: another namespace, `latest`, self-heal, an autoscaler, a newer database."""
    shape = Shape(namespace="qawave", tag="latest", database=True)
    with lab_cluster(tmp_path_factory.mktemp("differing"), shape) as production:
        levers.git("latest", self_heal=True)(production)
        yield production


@pytest.mark.skipif(not MODEL.is_file(), reason="the model runbook is not beside the project")
async def test_seven_lies_of_the_model_are_found_with_their_lines(differing: Production, tmp_path: Path) -> None:
    text = MODEL.read_text(encoding="utf-8")
    rows = text.splitlines()
    of = settings(tmp_path, differing, prometheus=differing.prometheus_url)
    document = text.replace("http_requests_total", "http_replies_total")  # the practice gateway exports the other name
    found = await truth(of, document, fronts.static())
    kept = {f.code: rows[f.line - 1] for f in found.findings if f.code not in ("L011", "L012")}
    assert sorted(kept) == ["L001", "L002", "L003", "L005", "L006", "L007", "L008"]
    assert "http_requests_total" in kept["L001"]
    assert "mean_time" in kept["L002"]
    assert "-n production" in kept["L003"]
    assert "rollout undo" in kept["L005"]
    assert "scale" in kept["L006"]
    assert "rollout undo" in kept["L007"]
    assert "/health" in kept["L008"]
    assert found.unasked == ()


@pytest.fixture(scope="module")
def truthful(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Production]:
    with lab_cluster(tmp_path_factory.mktemp("truthful"), Shape(database=True)) as production:
        yield production


async def test_a_truthful_document_is_left_in_peace(truthful: Production, tmp_path: Path) -> None:
    of = settings(tmp_path, truthful, prometheus=truthful.prometheus_url)
    found = await truth(of, DOCUMENT, fronts.honest())
    assert [(f.code, f.message) for f in found.findings if f.code != "L011"] == []


@pytest.mark.parametrize(("was", "is_now", "code"), [
    ("http_requests_total", "http_requests_made_total", "L001"),
    ("mean_exec_time", "mean_time", "L002"),
    ("-n production", "-n prod", "L003"),
    ("undo deployment/worker", "undo deployment/workers", "L004"),
    ("scale deployment/worker", "scale deployment/backend", "L006"),
])  # fmt: skip
async def test_one_wrong_word_is_one_finding_at_its_line(
    truthful: Production, tmp_path: Path, was: str, is_now: str, code: str
) -> None:
    of = settings(tmp_path, truthful, prometheus=truthful.prometheus_url)
    text = DOCUMENT.replace(was, is_now)
    found = [f for f in (await truth(of, text, fronts.honest())).findings if f.code != "L011"]
    assert [f.code for f in found] == [code]
    assert is_now in text.splitlines()[found[0].line - 1]
    assert found[0].hint


async def test_a_health_address_that_is_gone_is_told_from_one_that_is_static(
    truthful: Production, tmp_path: Path
) -> None:
    of = settings(tmp_path, truthful, prometheus=truthful.prometheus_url)
    codes = [
        [f.code for f in (await truth(of, DOCUMENT, web)).findings if f.code != "L011"]
        for web in (fronts.gone(), fronts.static())
    ]
    assert codes == [["L009"], ["L008"]]


async def test_what_cannot_be_asked_is_no_contradiction(tmp_path: Path, truthful: Production) -> None:
    of = settings(tmp_path, truthful, prometheus="http://127.0.0.1:1")
    text = DOCUMENT.replace("http_requests_total", "nobody_knows_this")
    found = await truth(of, text, fronts.honest())
    assert "L001" not in [f.code for f in found.findings]
    assert any(line.startswith("metrics: Prometheus") for line in found.unasked)


async def test_credentials_that_may_not_do_it_are_said(tmp_path: Path, truthful: Production) -> None:
    of = settings(tmp_path, truthful, prometheus=truthful.prometheus_url)
    own = of.evidence.model_copy(update={"kubernetes": of.evidence.kubernetes.model_copy(update={"context": "viewer"})})
    found = await truth(of.model_copy(update={"evidence": own}), DOCUMENT, fronts.honest())
    said = [f.message for f in found.findings if f.code == "L012"]
    assert any("may not patch deployments" in message for message in said)
    assert not any("list pods" in message for message in said)
