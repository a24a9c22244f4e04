"""A store that an earlier version made is brought up to date whole or not at all, on SQLite and on PostgreSQL."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from lineage.buckets import BUCKET_KEYS
from lineage.generations import store_place
from lineage.places import Place, open_reading, open_writing
from lineage.rebuild import rebuild
from lineage.run import Subject, open_engine
from lineage.seen import RUN_KEYS
from lineage.store import StoreReader, StoreWriter
from lineage.upgrade import FIRST, FORMAT, SHIPPED, Revisions, StoreFormatUnknown, upgrade
from tests.guarantees.shown import case_documents, snapshot_of
from tests.stored_store import DEFINITIONS, ESTATE, LIMITS, NOW, events, fold, put, tables_of
from tests.story.test_guarantee_rebuild import Standing, quiet
from throughline.core.event import identity_digest
from throughline.core.store_url import StoreUrl

NEXT, AFTER = str(int(FORMAT) + 1), str(int(FORMAT) + 2)
WIDER = "op.add_column('cases', sa.Column('seen_by', sa.Text))"
NARROWER = "op.drop_column('cases', 'seen_by')"
MOVED = 2 * BUCKET_KEYS + 5
CUT_OFF = "raise RuntimeError('cut off')"


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


@pytest.fixture
def later(tmp_path: Path) -> Path:
    """The shipped revisions, to which a later version may add."""
    return Path(shutil.copytree(SHIPPED.folder, tmp_path / "later version", ignore=shutil.ignore_patterns("__*")))


def add(later: Path, revision: str, why: str, statement: str) -> Revisions:
    """Add a revision; return what there is then."""
    (later / "versions" / f"format_{revision}.py").write_text(
        f'"""{why}"""\n\nimport sqlalchemy as sa\nfrom alembic import op\n\nrevision = "{revision}"\n'
        f'down_revision = "{int(revision) - 1}"\n\n\ndef upgrade():\n    {statement}\n'
    )
    return Revisions(later, revision)


def format_of(place: Place) -> str:
    with closing(open_reading(place)) as connection:
        return connection.execute("SELECT version_num FROM alembic_version").fetchone()[0]


def test_the_first_version_becomes_what_a_store_made_anew_is(place: Place, subject: Subject, tmp_path: Path) -> None:
    with closing(open_engine(subject)) as engine:
        shown = case_documents(snapshot_of(engine, DEFINITIONS, ESTATE, LIMITS, NOW))
        assert "format" not in engine.store.meta()
        assert engine.fold(events(), NOW) == 0  # each was counted before
    with closing(fold(":memory:")) as fresh:
        assert shown == case_documents(snapshot_of(fresh, DEFINITIONS, ESTATE, LIMITS, NOW))
    assert len(shown) == 3
    assert format_of(place) == FORMAT
    beside = tmp_path / "beside.db" if subject.url is None else place._replace(name="beside")  # pyright: ignore
    fold(beside).close()
    assert tables_of(place) == tables_of(beside)


def test_texts_are_found_under_the_ids_that_they_had(place: Place, subject: Subject) -> None:
    far = {f"serial_number\x1fSN-{number}": number for number in (BUCKET_KEYS - 1, BUCKET_KEYS, 3 * BUCKET_KEYS + 7)}
    with closing(open_writing(place)) as connection:
        connection.executemany("INSERT INTO value (text, id) VALUES (?, ?)", far.items())
        before = dict(connection.execute("SELECT text, id FROM value").fetchall())
    with closing(open_engine(subject)) as engine:
        assert engine.store.value_ids([*before, "serial_number\x1fSN-8"]) == before
    with closing(open_reading(place)) as connection:
        assert StoreReader(connection).value_ids([*before, "serial_number\x1fSN-8"]) == before
    assert before.keys() > far.keys()


def test_events_are_known_wherever_their_content_stood(place: Place, subject: Subject, later: Path) -> None:
    known = {
        bytes([number] * 16): (seq, 71, b"c" * 16)
        for number, seq in enumerate((9, 3 * BUCKET_KEYS - RUN_KEYS - 1, 3 * BUCKET_KEYS - 1, MOVED), 1)
    }
    (later / "versions" / "format_9.py").unlink()
    with closing(open_writing(place)) as connection:
        columns = "INSERT INTO seen (digest, seq, received, content) VALUES (?, ?, ?, ?)"
        connection.executemany(columns, [(digest, *row) for digest, row in known.items()])
        upgrade(connection, place, Revisions(later, "8"))
        if isinstance(place, Path):  # where a later content keeps the bucket of the one that it replaced
            connection.execute("UPDATE seen SET bucket = 0 WHERE seq = ?", (MOVED,))
        upgrade(connection, place)
        for reader in (StoreReader(connection), StoreWriter(connection)):
            assert reader.seen([*known, b"n" * 16]) == known
            digests = [identity_digest(event.source, event.id) for event in events()]
            assert reader.seen(digests).keys() == set(digests)


def test_values_at_which_events_wait_are_counted_from_then_on(place: Place) -> None:
    with closing(open_writing(place)) as connection:
        rows = [(71, 1, 0, 1), (71, 2, 0, 0), (72, 1, 0, 0), (73, 2, 0, 3)]  # value, process, since, patience
        connection.execute("DELETE FROM waiting")
        connection.executemany("INSERT INTO waiting (value, process, since, orphan) VALUES (?, ?, ?, ?)", rows)
        upgrade(connection, place)
        assert StoreReader(connection).counters()["waiting"] == {"values": 3, "orphans": 1}


def test_the_tables_have_the_format_to_which_the_last_revision_leads_one_number_at_a_time() -> None:
    revisions = [each.revision for each in ScriptDirectory(str(SHIPPED.folder)).walk_revisions()]
    assert revisions == [str(number) for number in range(int(FORMAT), FIRST - 1, -1)]


def test_each_revision_is_taken_once_and_the_store_says_how_far_it_is(place: Place, later: Path) -> None:
    wider = add(later, NEXT, "cases say who looked", WIDER)
    with closing(open_writing(place)) as connection:
        assert upgrade(connection, place, wider)[-1] == "cases say who looked"
        assert upgrade(connection, place, wider) == []
        assert connection.execute("SELECT count(seen_by) FROM cases").fetchone()[0] == 0
        assert upgrade(connection, place, add(later, AFTER, "nobody looks", NARROWER)) == ["nobody looks"]
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(AFTER,)]
        assert connection.execute("SELECT count(*) FROM cases").fetchone()[0] == 3


def test_where_a_revision_fails_none_is_taken(place: Place, later: Path) -> None:
    before = tables_of(place)
    add(later, NEXT, "", WIDER)
    with closing(open_writing(place)) as connection, pytest.raises(RuntimeError, match="cut off"):
        upgrade(connection, place, add(later, AFTER, "", CUT_OFF))
    assert tables_of(place) == before
    with closing(open_reading(place)) as connection:
        assert connection.execute("SELECT value FROM meta WHERE name = 'format'").fetchone() == (str(FIRST),)


@pytest.mark.parametrize(
    ("stored", "said"),
    [
        (NEXT, "a later version of Throughline wrote.*run that version again"),
        ("3", "before the first release.*throughline rebuild"),
        ("none of ours", "before the first release"),
    ],
)
@pytest.mark.parametrize("told_in", ["meta", "alembic_version"])
def test_a_format_to_which_no_revisions_lead_is_refused_and_left_as_it_is(
    place: Place, subject: Subject, stored: str, said: str, told_in: str
) -> None:
    with closing(open_writing(place)) as connection:
        if told_in == "meta":
            connection.execute("UPDATE meta SET value = ? WHERE name = 'format'", (stored,))
        else:
            upgrade(connection, place)
            connection.execute("UPDATE alembic_version SET version_num = ?", (stored,))
    before = tables_of(place)
    with pytest.raises(StoreFormatUnknown, match=said):
        open_engine(subject)
    with pytest.raises(StoreFormatUnknown, match=said):
        rebuild(subject, place.with_name("next.db") if isinstance(place, Path) else place._replace(name="n"), quiet)
    assert tables_of(place) == before
