"""Messages to one person may share a hand-over, and pages go before other work."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("work", sa.Column("bundle", sa.Text(), server_default="", nullable=False))
    op.add_column("work", sa.Column("urgency", sa.Integer(), server_default="1", nullable=False))
    op.create_index(
        "work_waiting",
        "work",
        ["kind", "urgency", "next_at"],
        sqlite_where=sa.text("state = 'pending'"),
        postgresql_where=sa.text("state = 'pending'"),
    )
