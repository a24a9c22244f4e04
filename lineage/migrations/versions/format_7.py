"""key texts found by a hash, in buckets of those that came together"""

from alembic import op

from lineage.texts import text_hash

revision = "7"
down_revision = "6"

_HASHES = (
    "CREATE TABLE value_hash (bucket {0} NOT NULL, hash {0} NOT NULL, id {0} NOT NULL, PRIMARY KEY (bucket, hash, id))"
)


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(_HASHES.format("BIGINT"))
        return
    op.execute(_HASHES.format("INTEGER") + " WITHOUT ROWID")
    op.execute("ALTER TABLE value RENAME TO former_value")
    op.execute("CREATE TABLE value (id INTEGER NOT NULL, text TEXT NOT NULL, PRIMARY KEY (id))")
    op.execute("INSERT INTO value (id, text) SELECT id, text FROM former_value ORDER BY id")
    op.execute("DROP TABLE former_value")
    driver = op.get_bind().connection.driver_connection
    assert driver is not None
    driver.create_function("text_hash", 1, text_hash, deterministic=True)
    last = op.get_bind().exec_driver_sql("SELECT max(id) >> 16 FROM value").scalar()
    for bucket in range(0 if last is None else last + 1):
        op.execute(
            f"INSERT INTO value_hash (bucket, hash, id) SELECT {bucket}, text_hash(text), id FROM value"
            f" WHERE id >= {bucket << 16} AND id < {(bucket + 1) << 16} ORDER BY 2, 3"
        )
