"""Incidents that are not over can be gone through and counted without those that are."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
ALIVE = "status NOT IN ('resolved', 'closed')"


def upgrade() -> None:
    op.create_index(
        "incident_alive",
        "incident",
        ["number", "severity", "status"],
        sqlite_where=sa.text(ALIVE),
        postgresql_where=sa.text(ALIVE),
    )
