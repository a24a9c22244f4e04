"""A transaction that fails leaves the store of KPIs as it was; what an earlier release made is brought up to date."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from kpis.store import KpiWriter, PublishedRow, open_kpi_reader, open_kpi_writer, transaction
from tests.stored_store import tables_of
from tests.unit.kpis.conftest import Fresh, opened

FIGURE = PublishedRow(0, "a", "day", 739_676, "1", 5, "7", False, 1, None, "published")


def fill_up(store: KpiWriter) -> None:
    store.set_meta("made_by", "nobody")
    store.connection.execute("ROLLBACK")
    raise OSError("the disk is full")


def test_what_ends_a_transaction_by_itself_is_what_is_told(tmp_path: Path) -> None:
    """As a disk does that is full when it is to be committed: there is nothing left to be rolled back then."""
    with closing((store := open_kpi_writer(tmp_path / "kpis.db")).connection):
        with pytest.raises(OSError, match="full"), transaction(store):
            fill_up(store)
        assert "made_by" not in store.meta()
        with transaction(store):
            store.set_meta("made_by", "us")
        assert store.meta()["made_by"] == "us"


def test_a_store_of_an_earlier_release_is_read_as_it_is_and_brought_up_to_date_once_it_is_kept(fresh: Fresh) -> None:
    place = fresh()
    opened(place).connection.close()
    made = tables_of(place)
    with closing((store := opened(place)).connection):
        with transaction(store):
            store.add_version("a", "1", "digest", 5, "{}")
            store.publish(FIGURE)
            store.publish(FIGURE._replace(value="8"))
        for table in ("version", "published"):
            store.connection.execute(f"ALTER TABLE {table} DROP COLUMN told_as")
    with closing((reader := open_kpi_reader(place)).connection):
        assert [(each.version, each.told_as) for each in reader.versions()] == [("1", None)]
        ((former, now),) = reader.restated("a", 0, 10)
        assert [(each.value, each.told_as) for each in (former, now)] == [("7", None), ("8", None)]
        with closing((store := opened(place)).connection), transaction(store):
            store.tell_published_as("a", 5, "{}")
            store.tell_as(store.versions()[0].number, "{}")
        assert [each.told_as for each in reader.versions()] == ["{}"]
        assert [each.told_as for each in reader.published("a")] == ["{}", "{}"]
    assert tables_of(place) == made
