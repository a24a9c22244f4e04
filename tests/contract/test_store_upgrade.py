"""A store that an earlier version made is brought up to date whole or not at all, on SQLite and on PostgreSQL."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from lineage.generations import store_place
from lineage.places import Place, open_reading, open_writing
from lineage.rebuild import rebuild
from lineage.run import Subject, open_engine
from lineage.store import StoreReader
from lineage.upgrade import FIRST, FORMAT, Step, StoreFormatUnknown, upgrade
from tests.guarantees.shown import case_documents, snapshot_of
from tests.stored_store import DEFINITIONS, ESTATE, LIMITS, NOW, fold, put, tables_of
from tests.story.test_guarantee_rebuild import Standing, quiet
from throughline.core.sql import Connection
from throughline.core.store_url import StoreUrl

WIDER = Step("cases say who looked", lambda connection: connection.execute("ALTER TABLE cases ADD COLUMN seen_by TEXT"))


def fail(_: Connection) -> None:
    raise RuntimeError("cut off")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.needs("postgresql"))])
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Subject:
    url: StoreUrl | None = request.getfixturevalue("database") if request.param == "postgresql" else None
    return Subject(tmp_path, DEFINITIONS, ESTATE, LIMITS, Standing(NOW), url=url)


@pytest.fixture
def place(subject: Subject) -> Place:
    """The stored store of the first version."""
    place = store_place(subject.data, subject.url)
    put(place)
    return place


def format_of(place: Place) -> str:
    with closing(open_reading(place)) as connection:
        return StoreReader(connection).meta()["format"]


def set_format(place: Place, found: str) -> None:
    with closing(open_writing(place)) as connection:
        connection.execute("UPDATE meta SET value = ? WHERE name = 'format'", (found,))


def test_the_first_version_becomes_what_a_store_made_anew_is(place: Place, subject: Subject, tmp_path: Path) -> None:
    with closing(open_engine(subject)) as engine:
        shown = case_documents(snapshot_of(engine, DEFINITIONS, ESTATE, LIMITS, NOW))
    with closing(fold(":memory:")) as fresh:
        assert shown == case_documents(snapshot_of(fresh, DEFINITIONS, ESTATE, LIMITS, NOW))
    assert len(shown) == 3
    assert format_of(place) == FORMAT
    beside = tmp_path / "beside.db" if subject.url is None else place._replace(name="beside")  # pyright: ignore
    fold(beside).close()
    assert tables_of(place) == tables_of(beside)


def test_each_step_is_taken_once_and_the_store_says_how_far_it_is(place: Place) -> None:
    with closing(open_writing(place)) as connection:
        assert upgrade(connection, place, [WIDER]) == [WIDER.why]
        assert upgrade(connection, place, [WIDER]) == []
        assert connection.execute("SELECT count(seen_by) FROM cases").fetchone()[0] == 0
        later = Step("nobody looks", lambda each: each.execute("ALTER TABLE cases DROP COLUMN seen_by"))
        assert upgrade(connection, place, [WIDER, later]) == [later.why]
    assert format_of(place) == str(FIRST + 2)


def test_where_a_step_fails_none_is_taken(place: Place) -> None:
    before = tables_of(place)
    with closing(open_writing(place)) as connection, pytest.raises(RuntimeError):
        upgrade(connection, place, [WIDER, Step("", fail)])
    assert tables_of(place) == before
    assert format_of(place) == str(FIRST)


@pytest.mark.parametrize(
    ("stored", "said"),
    [
        (str(int(FORMAT) + 1), "a later version of Throughline wrote.*run that version again"),
        ("3", "before the first release.*throughline rebuild"),
        ("none of ours", "before the first release"),
    ],
)
def test_a_format_to_which_no_steps_lead_is_refused_and_left_as_it_is(
    place: Place, subject: Subject, stored: str, said: str
) -> None:
    set_format(place, stored)
    with pytest.raises(StoreFormatUnknown, match=said):
        open_engine(subject)
    with pytest.raises(StoreFormatUnknown, match=said):
        rebuild(subject, place.with_name("next.db") if isinstance(place, Path) else place._replace(name="n"), quiet)
    assert format_of(place) == stored
