"""digests and trace ids in buckets of those that came together"""

from alembic import op

revision = "5"
down_revision = "4"

_FILTERS = (
    "CREATE TABLE key_filter (name TEXT{0} NOT NULL, lane {1} NOT NULL, bits {2} NOT NULL, PRIMARY KEY (name, lane))"
)


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(_FILTERS.format(' COLLATE "C"', "BIGINT", "BYTEA"))
        for table, key in (("seen", "digest"), ("trace", "trace_id")):
            op.execute(f"ALTER TABLE {table} ADD COLUMN bucket BIGINT NOT NULL DEFAULT 0")
            op.execute(f"ALTER TABLE {table} ALTER COLUMN bucket DROP DEFAULT")
            op.execute(f"ALTER TABLE {table} DROP CONSTRAINT {table}_pkey, ADD PRIMARY KEY (bucket, {key})")
        return
    op.execute(_FILTERS.format("", "INTEGER", "BLOB"))
    _move("seen", "digest BLOB", "seq INTEGER NOT NULL, received INTEGER NOT NULL, content BLOB NOT NULL", "seq >> 16")
    _move("trace", "trace_id BLOB", "spans BLOB NOT NULL", "(row_number() OVER (ORDER BY trace_id) - 1) >> 16")


def _move(table: str, key: str, others: str, bucket: str) -> None:
    column = key.split()[0]
    op.execute(f"ALTER TABLE {table} RENAME TO former_{table}")
    op.execute(
        f"CREATE TABLE {table} (bucket INTEGER NOT NULL, {key} NOT NULL, {others}, PRIMARY KEY (bucket, {column}))"
        " WITHOUT ROWID"
    )
    names = ", ".join([column, *(each.split()[0] for each in others.split(", "))])
    op.execute(f"INSERT INTO {table} (bucket, {names}) SELECT {bucket}, {names} FROM former_{table} ORDER BY 1, 2")
    op.execute(f"DROP TABLE former_{table}")
