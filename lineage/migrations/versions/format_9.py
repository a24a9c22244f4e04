"""which events count in rows of many, in the order in which they came"""

from __future__ import annotations

from collections.abc import Iterable

from alembic import op

from lineage.buckets import BUCKET_BITS
from lineage.seen import index_of, rows_of, runs_of

revision = "9"
down_revision = "8"

_TABLES = (
    "CREATE TABLE counted (first {0} NOT NULL, marks {1} NOT NULL, PRIMARY KEY (first))",
    "CREATE TABLE counted_index (part {0} NOT NULL, entries {1} NOT NULL, PRIMARY KEY (part))",
)
_COLUMNS = "seq, digest, received, content"
_Row = tuple[int, bytes, int, bytes]


def upgrade() -> None:
    connection = op.get_bind()
    of_server = connection.dialect.name == "postgresql"
    for statement in _TABLES:
        op.execute(statement.format(*(("BIGINT", "BYTEA") if of_server else ("INTEGER", "BLOB"))))
    if of_server:
        return
    last: int = connection.exec_driver_sql("SELECT coalesce(max(seq) >> 16, -1) FROM seen").scalar_one()
    # Few stand elsewhere: those that took the place of a content that had come earlier.
    elsewhere = _rows(f"SELECT {_COLUMNS} FROM seen WHERE bucket <> seq >> {BUCKET_BITS}")
    for bucket in range(last + 1):
        first, after = bucket << BUCKET_BITS, bucket + 1 << BUCKET_BITS
        rows = _rows(f"SELECT {_COLUMNS} FROM seen WHERE bucket = {bucket} AND seq >= {first} AND seq < {after}")
        rows += [row for row in elsewhere if first <= row[0] < after]
        _put("counted (first, marks)", rows_of(rows))
        placed = [(digest, seq) for seq, digest, _, _ in rows]
        _put("counted_index (part, entries)", index_of(bucket, placed) if bucket < last else runs_of(placed))
    op.execute("DELETE FROM seen")
    op.execute("DELETE FROM key_filter WHERE name = 'seen/4'")


def _rows(sql: str) -> list[_Row]:
    return [tuple(row) for row in op.get_bind().exec_driver_sql(sql)]  # pyright: ignore[reportReturnType]


def _put(table: str, rows: Iterable[tuple[int, bytes]]) -> None:
    some = list(rows)
    if some:
        op.get_bind().exec_driver_sql(f"INSERT INTO {table} VALUES (?, ?)", some)
