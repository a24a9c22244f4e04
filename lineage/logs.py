"""Whether the journal and the statements at hand are those that the store has folded.

A store that is ahead of its journal, since an older copy was put in its place or the file was removed, would take new
records for ones that it has: they begin again at numbers that it passed. So this is noticed, not guessed.
"""

from __future__ import annotations

from pathlib import Path

from lineage.engine import JOURNAL, JOURNAL_RECEIVED, STATEMENTS
from lineage.store import StoreReader
from throughline.core.decisions import DecisionReader
from throughline.core.errors import LastingError
from throughline.core.instants import format_instant
from throughline.core.journal import JournalReader, position_text


class LogReplaced(LastingError):
    """The store has folded another journal, or other statements, than those that lie beside it."""


def check_logs(store: StoreReader, journal: JournalReader, decisions: DecisionReader, data: Path) -> None:
    """Raise LogReplaced where the store of a data folder has folded what its logs do not hold."""
    faults = (journal_fault(store, journal), statements_fault(store, decisions))
    seen = "; ".join(fault for fault in faults if fault is not None)
    if seen:
        raise LogReplaced(
            f"{data}: {seen}. A file was removed or an older copy put in its place: put back the files that belong"
            " together, or run `throughline rebuild`, which keeps what the store has and folds these from their"
            " beginning, each event once"
        )


def journal_fault(store: StoreReader, journal: JournalReader) -> str | None:
    """Say why the journal is not the one that the store has folded; None where it may be."""
    positions = store.positions()
    folded = positions.get(JOURNAL, 0)
    last = journal.last_given()
    if last < folded:
        return f"journal.db: seen records up to {position_text(last)}, wanted {position_text(folded)}, which is folded"
    first = journal.first()
    if first > folded + 1:
        seen = f"{position_text(folded)} is the last that is folded" if folded else "nothing of it is folded"
        return f"journal.db: seen records from {position_text(first)} on, as older ones were not kept, while {seen}"
    known, received = positions.get(JOURNAL_RECEIVED), journal.received(folded)
    if known is not None and received is not None and received != known:
        return (
            f"journal.db: seen {position_text(folded)} received at {format_instant(received)}, wanted the one that is"
            f" folded, received at {format_instant(known)}"
        )
    return None


def statements_fault(store: StoreReader, decisions: DecisionReader) -> str | None:
    """Say why the statements are not those that the store has folded; None where they may be."""
    folded = store.positions().get(STATEMENTS, 0)
    if folded <= 0:
        return None
    last = decisions.last_number()
    if last < folded:
        return f"decisions.db: seen statements up to s{last}, wanted s{folded}, which is folded"
    stored = {each.number: each.id for each in store.statements()}.get(folded)
    (logged,) = decisions.before(folded + 1, 1)
    if stored is not None and logged.id != stored:
        return f"decisions.db: seen statement s{folded} with id {logged.id}, wanted {stored}, which is folded"
    return None
