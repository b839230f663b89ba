"""The database brought to this version's schema: additive steps only, so that older processes go on working.

Replicas that start together take turns: each step is in the one transaction that may write.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from tocsin.store.schema import metadata

HEAD = "0007"
_SCRIPTS = Path(__file__).with_name("migrations")


def current(engine: Engine) -> str | None:
    """The database's schema version; None for an empty database."""
    with engine.connect() as connection:
        return version(connection)


def upgrade(engine: Engine) -> bool:
    """Runs the steps that are missing; True when there were any. Alembic is only imported when there is work for it.

    A database that a newer version has brought further is left as it is: its steps only added.
    """
    with engine.begin() as connection:  # proves that the database can be written before anything is promised
        at = version(connection)
        if at is not None and at >= HEAD:
            return False
        if at is None and not inspect(connection).get_table_names():
            _create(connection)
        else:
            _walk(connection)
    return True


def walk(engine: Engine) -> None:
    """Runs the steps of the history that are missing, the first one first."""
    with engine.begin() as connection:
        _walk(connection)


def _walk(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def version(connection: Connection) -> str | None:
    """The schema's; None where nothing was made."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _create(connection: Connection) -> None:
    """The whole schema at once: a first start need not walk through history (a test holds that both end alike)."""
    metadata.create_all(connection)
    connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
    connection.execute(text("INSERT INTO alembic_version VALUES (:head)"), {"head": HEAD})
