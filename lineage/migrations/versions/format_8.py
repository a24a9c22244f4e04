"""counters of the values at which events wait for a case"""

from alembic import op

revision = "8"
down_revision = "7"


def upgrade() -> None:
    for label, among in (("values", ""), ("orphans", " WHERE orphan = 1")):
        op.execute(
            "INSERT INTO counter (name, label, count)"
            f" SELECT 'waiting', '{label}', count(DISTINCT value) FROM waiting{among}"
        )
