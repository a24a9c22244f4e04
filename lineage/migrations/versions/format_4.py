"""the first released version, which told its format in meta"""

from alembic import op

revision = "4"
down_revision = None


def upgrade() -> None:
    op.execute("DELETE FROM meta WHERE name = 'format'")
