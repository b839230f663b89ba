"""PostgreSQL packs an incident's state by LZ4, where it can: packing is the dearest part of a change."""

from alembic import op

revision = "0007"
down_revision = "0006"
LIGHT = """
DO $$ BEGIN
    EXECUTE 'ALTER TABLE incident ALTER COLUMN state SET COMPRESSION lz4';
EXCEPTION
    WHEN feature_not_supported OR invalid_parameter_value OR syntax_error THEN NULL; -- built without it, or before 14
END $$
"""


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(LIGHT)
