"""Upgrades: a store that an earlier version made gets the tables of this one when the engine opens it, or none of them.

A store knows its format, a number. Whoever changes the tables (lineage/tables.py) adds the step that leads there from
the format before; a test holds a store of the first released version, brought up by all steps, to one made anew. All
steps are one transaction with the new number: cut off anywhere, the store is what it was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from lineage.places import Place
from throughline.core.errors import LastingError
from throughline.core.sql import Connection

FIRST: Final = 4
"""The format of the first released version."""


class Step(NamedTuple):
    """What leads from one format to the next: ``take`` runs its statements, within a transaction of its caller."""

    why: str
    take: Callable[[Connection], object]


STEPS: Sequence[Step] = ()
"""The first leads from FIRST to the format after it."""

FORMAT = str(FIRST + len(STEPS))


class StoreFormatUnknown(LastingError):
    """The store was written by another version of Throughline, which this one does not know."""


def upgrade(connection: Connection, place: Place, steps: Sequence[Step] = STEPS) -> list[str]:
    """Bring a store up to the last format; return why each step was taken, none where it is of that or not yet made.

    Raises StoreFormatUnknown where no steps lead there.
    """
    stored = _stored(connection) if connection.has_tables() else None
    if stored is None:
        return []
    _refuse_unknown(stored, place, FIRST + len(steps))
    ahead = steps[int(stored) - FIRST :]
    if ahead:
        connection.execute("BEGIN IMMEDIATE")
        try:
            for step in ahead:
                step.take(connection)
            connection.execute("UPDATE meta SET value = ? WHERE name = 'format'", (str(FIRST + len(steps)),))
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
    return [step.why for step in ahead]


def refuse_other_format(stored: str, place: Place) -> None:
    """Raise StoreFormatUnknown where a store cannot be read as it is."""
    if stored == FORMAT:
        return
    _refuse_unknown(stored, place, int(FORMAT))
    raise StoreFormatUnknown(
        f"{place}: seen store format {stored}, wanted {FORMAT}: start `throughline serve` first, which brings it"
        " up to date"
    )


def _stored(connection: Connection) -> str | None:
    row = connection.execute("SELECT value FROM meta WHERE name = 'format'").fetchone()
    return None if row is None else row[0]


def _refuse_unknown(stored: str, place: Place, last: int) -> None:
    number = int(stored) if stored.isdecimal() else 0
    if number > last:
        raise StoreFormatUnknown(
            f"{place}: seen store format {stored}, which a later version of Throughline wrote, wanted {last} at most:"
            " run that version again, or put back the backup that was made before it ran"
        )
    if number < FIRST:
        raise StoreFormatUnknown(
            f"{place}: seen store format {stored}, of before the first release, wanted {FIRST} at least: move the store"
            " away and run `throughline rebuild`, which makes one of what the journal has"
        )
