"""Open drills can be counted without those incidents that are real."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
OPEN_DRILL = "status NOT IN ('resolved', 'closed') AND substr(title, 1, 7) = 'DRILL: '"


def upgrade() -> None:
    op.create_index(
        "incident_drill",
        "incident",
        ["severity", "status"],
        sqlite_where=sa.text(OPEN_DRILL),
        postgresql_where=sa.text(OPEN_DRILL),
    )
