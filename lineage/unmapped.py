"""What is valid but no process knows: kept like every event, and counted by source and type."""

from __future__ import annotations

import msgspec

from lineage.definition_checks import HEARTBEAT
from lineage.document import Time
from lineage.process import Definitions
from lineage.store import StoreReader
from throughline.core.event import Event
from throughline.core.instants import format_instant

MOST_NAMES = 50
_UNKNOWN = "count > 0 AND type NOT IN (SELECT value FROM json_each(?))"


class UnmappedDocument(msgspec.Struct, frozen=True):
    """Events of one source and type that no process declares. ``fields``: the names of the latest one's, at most 50."""

    source: str
    type: str
    count: int
    last_received: Time
    fields: list[str]


def sample_fields(event: Event) -> str:
    """Return the names of an event's fields as a JSON array, sorted."""
    return msgspec.json.encode(sorted(event.fields)[:MOST_NAMES]).decode()


def unmapped_count(store: StoreReader, definitions: Definitions) -> int:
    """Return how many events are of types that no process declares."""
    return (
        store.one(f"SELECT CAST(sum(count) AS BIGINT) FROM event_type WHERE {_UNKNOWN}", _declared(store, definitions))
        or 0
    )


def unmapped_after(
    store: StoreReader, definitions: Definitions, source: str, kind: str, limit: int
) -> list[UnmappedDocument]:
    """Return up to ``limit`` kinds of events that no process knows, after one, by source, then type."""
    rows = store.rows(
        f"SELECT source, type, count, last, fields FROM event_type WHERE {_UNKNOWN}"
        " AND (source, type) > (?, ?) ORDER BY source, type LIMIT ?",
        _declared(store, definitions),
        source,
        kind,
        limit,
    )
    return [
        UnmappedDocument(source, kind, count, format_instant(last), msgspec.json.decode(fields, type=list[str]))
        for source, kind, count, last, fields in rows
    ]


def _declared(store: StoreReader, definitions: Definitions) -> object:
    return store.array((*definitions.processes_of_type, HEARTBEAT))
