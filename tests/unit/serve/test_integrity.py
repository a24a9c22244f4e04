"""What was written otherwise than it is read is named by verify."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from kpis.codec import Contributed
from kpis.store import FILE_NAME, open_kpi_writer, transaction
from lineage.buckets import BUCKET_KEYS
from lineage.generations import STORE_FILE
from lineage.places import open_writing
from lineage.store import StoreWriter
from throughline.serve.integrity import verify_file


def test_a_text_that_is_not_found_where_it_was_put_is_named(tmp_path: Path) -> None:
    path = tmp_path / STORE_FILE
    with closing(open_writing(path)) as connection:
        store = StoreWriter(connection)
        store.next_value = BUCKET_KEYS - 2
        first, second, third, fourth, fifth = store.intern([f"ticket\x1fT-{number}" for number in range(5)]).values()
        store.connection.settle()
        whole = verify_file(path, STORE_FILE)
        store.connection.execute("UPDATE value SET text = CAST(x'FF' AS TEXT) WHERE id = ?", (second,))
        store.connection.execute("DELETE FROM value WHERE id = ?", (third,))
        store.connection.execute("DELETE FROM value_hash WHERE id = ?", (fourth,))
        store.connection.execute("UPDATE value_hash SET bucket = 0 WHERE id = ?", (fifth,))
        store.connection.settle()
        found = verify_file(path, STORE_FILE)
    assert whole.faults == []
    assert found.faults == [
        f"value {number}: its text is not found by its hash" for number in (second, fourth, fifth, third)
    ]
    assert first not in (second, third, fourth, fifth)


def test_an_event_that_is_not_found_where_it_counts_is_named(tmp_path: Path) -> None:
    path = tmp_path / STORE_FILE
    with closing(open_writing(path)) as connection:
        store = StoreWriter(connection)
        store.put_seen(BUCKET_KEYS - 3, [(bytes([number << 4] * 16), 7, b"c" * 16) for number in (1, 2, 3, 4)], [])
        store.connection.settle()
        whole = verify_file(path, STORE_FILE)
        store.connection.execute("UPDATE counted_index SET entries = substr(entries, 1, 7) WHERE part = 1")
        store.connection.execute("DELETE FROM counted_index WHERE part = 3")
        store.connection.settle()
        found = verify_file(path, STORE_FILE)
    assert whole.faults == []
    assert found.faults == [f"event {BUCKET_KEYS - at}: it is not found by its digest" for at in (3, 1)]


def test_figures_that_were_changed_are_named(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    with closing((store := open_kpi_writer(path)).connection):
        with transaction(store):
            store.put_contributed({number: Contributed("p", "c", {}) for number in (1, 2)})
            store.put_spans({b"trace": []})
        whole = verify_file(path, FILE_NAME)
        store.connection.execute("UPDATE contributed SET content = substr(content, 1, 5) WHERE case_id = 2")
        store.connection.execute("DROP TABLE traced")  # as in a file of before it was added
        found = verify_file(path, FILE_NAME)
    assert (whole.values, whole.faults) == (3, [])
    assert [fault.partition(" (")[0] for fault in found.faults] == ["contributed 2: content cannot be read"]
