"""The practice database: a real PostgreSQL where its binaries are, which ends with the lab and leaves nothing."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from clusters import lab_cluster

from tocsin.lab.apps.database import programs
from tocsin.lab.errors import LabError
from tocsin.lab.kube.inventory import Shape
from tocsin.lab.production import Production

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(programs() is None, reason="needs PostgreSQL (initdb and postgres on PATH)"),
]


def folders() -> set[Path]:
    """Where practice databases keep their data."""
    return set(Path(tempfile.gettempdir()).glob("tocsin-lab-pg-*"))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Production]:
    """A production with a database."""
    before = folders()
    with lab_cluster(tmp_path_factory.mktemp("cluster"), Shape(database=True)) as production:
        mine = folders() - before
        yield production
    assert not mine & folders()


def test_psql_in_the_pod_is_the_real_one(cluster: Production) -> None:
    psql = "kubectl exec postgresql-0 -- psql -U postgres -At -c"
    assert cluster.run(f"{psql} 'SELECT count(*) FROM scenarios'").stdout == "50\n"
    assert cluster.run(f"{psql} 'SELECT nonsense'").stderr.startswith('ERROR:  column "nonsense" does not exist')


def test_a_forgotten_lock_makes_writers_wait_until_it_is_ended(cluster: Production) -> None:
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    psql = "kubectl exec postgresql-0 -- psql -U postgres -At -c"
    cluster.sql("BEGIN; LOCK TABLE runs", keep=True)
    cluster.until(lambda: int(cluster.run(f"{psql} '{waiting}'").stdout or 0) > 0, seconds=15, what="somebody waits")
    cluster.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction'")
    cluster.until(lambda: cluster.run(f"{psql} '{waiting}'").stdout == "0\n", seconds=15, what="nobody waits")


def test_what_the_server_refuses_is_said_in_its_words(cluster: Production) -> None:
    with pytest.raises(LabError, match='the practice database: relation "nowhere" does not exist'):
        cluster.sql("SELECT 1 FROM nowhere")


def test_without_a_database_there_is_none_to_ask(production: Production) -> None:
    with pytest.raises(LabError, match="no real database"):
        production.sql("SELECT 1")
