"""Silences, and what holds an alert back."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
HELD = "held <> ''"
FIRING = "status = 'firing'"


def upgrade() -> None:
    op.create_table(
        "silence",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("silence_ends", "silence", ["ends_at"])
    op.add_column("alert", sa.Column("held", sa.Text(), nullable=False, server_default=""))
    op.create_index("alert_held", "alert", ["held"], sqlite_where=sa.text(HELD), postgresql_where=sa.text(HELD))
    op.create_index("alert_firing", "alert", ["name"], sqlite_where=sa.text(FIRING), postgresql_where=sa.text(FIRING))
