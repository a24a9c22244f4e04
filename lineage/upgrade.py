"""Upgrades: a store that an earlier version made gets the tables of this one when the engine opens it, or none of them.

Whoever changes the tables (lineage/tables.py) adds the revision of Alembic that leads there, with the next number, to
lineage/migrations/versions and sets FORMAT to it; a test holds a store of the first released version, brought up by all
revisions, to one made anew. All are one transaction on the engine's own connection, which alone holds the lock: cut off
anywhere, the store is what it was.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from uuid import uuid4

from lineage.places import Place
from throughline.core.errors import LastingError
from throughline.core.sql import Connection

if TYPE_CHECKING:
    from alembic.config import Config

FIRST: Final = 4
"""The format of the first released version."""

FORMAT: Final = "9"
"""The last revision, which leads to the tables that are made anew."""


IDENTITY: Final = "identity"
"""The name in ``meta`` of what no other store is called, not even another generation: who follows one can tell."""


class Revisions(NamedTuple):
    """A folder of Alembic's with what leads from one format to the next, and the format of the last one."""

    folder: Path
    last: str


SHIPPED = Revisions(Path(__file__).parent / "migrations", FORMAT)


class StoreFormatUnknown(LastingError):
    """The store was written by another version of Throughline, which this one does not know."""


def make(connection: Connection) -> None:
    """Make every table where none is yet."""
    if connection.has_table("meta"):
        return
    from lineage.tables import schema  # only here, as SQLAlchemy takes a third of a second to load

    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in schema(connection.dialect):
            connection.execute(statement)
        connection.execute("INSERT INTO alembic_version (version_num) VALUES (?)", (FORMAT,))
        connection.execute("INSERT INTO meta (name, value) VALUES (?, ?)", (IDENTITY, uuid4().hex))
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def renew_identity(connection: Connection) -> None:
    """Call a store otherwise, as it is no longer what those followed who follow it: it was put back as it was before.

    One of a format that knows no identity gets one as it is brought up to date.
    """
    connection.execute("UPDATE meta SET value = ? WHERE name = ?", (uuid4().hex, IDENTITY))
    connection.settle()


def upgrade(connection: Connection, place: Place, revisions: Revisions = SHIPPED) -> list[str]:
    """Bring a store up to the last format; return what each revision says, none where it is there or not yet made.

    Raises StoreFormatUnknown where no revisions lead there.
    """
    stored = _stored(connection)
    if stored is None:
        return []
    _refuse_unknown(stored, place, int(revisions.last))
    if stored == revisions.last and connection.has_table("alembic_version"):
        return []
    return _run(connection, revisions)


def refuse_other_format(connection: Connection, place: Place) -> None:
    """Raise StoreFormatUnknown where a store cannot be read as it is; one that is not yet made can."""
    stored = _stored(connection)
    if stored is None or stored == FORMAT:
        return
    _refuse_unknown(stored, place, int(FORMAT))
    raise StoreFormatUnknown(
        f"{place}: seen store format {stored}, wanted {FORMAT}: start `throughline serve` first, which brings it"
        " up to date"
    )


def _stored(connection: Connection) -> str | None:
    """Return the format that a store says it has: by Alembic's table, or as the first released version said it."""
    if connection.has_table("alembic_version"):
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    elif connection.has_table("meta"):
        row = connection.execute("SELECT value FROM meta WHERE name = 'format'").fetchone()
    else:
        return None
    return "" if row is None else row[0]


def _refuse_unknown(stored: str, place: Place, last: int) -> None:
    number = int(stored) if stored.isdecimal() else 0
    if number > last:
        raise StoreFormatUnknown(
            f"{place}: seen store format {stored}, which a later version of Throughline wrote, wanted {last} at most:"
            " run that version again, or put back the backup that was made before it ran"
        )
    if number < FIRST:
        raise StoreFormatUnknown(
            f"{place}: seen store format {stored or 'none'}, of before the first release, wanted {FIRST} at least: move"
            " the store away and run `throughline rebuild`, which makes one of what the journal has"
        )


def _run(connection: Connection, revisions: Revisions) -> list[str]:
    # Only here: most starts have nothing to bring up to date.
    from alembic import command
    from sqlalchemy import StaticPool, create_engine

    engine = create_engine(_URLS[connection.dialect], creator=lambda: connection.driver, poolclass=StaticPool)
    taken: list[str] = []
    with engine.connect() as lent, lent.begin():
        connection.execute("BEGIN IMMEDIATE")  # what the driver's own commit and rollback end
        command.upgrade(_config(revisions, connection=lent, taken=taken), "head")
    return taken


_URLS = {"sqlite": "sqlite://", "postgresql": "postgresql+psycopg://"}


def _config(revisions: Revisions, **attributes: Any) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(revisions.folder).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes.update(attributes)
    return config
