"""An event counts once, and the content received first stands, wherever the buckets of what came begin and end."""

from __future__ import annotations

import msgspec

from lineage.buckets import BUCKET_KEYS
from lineage.engine import Engine
from lineage.removal import drop_events
from tests.guarantees.firm import happened
from tests.guarantees.shown import case_documents, snapshot_of
from tests.stored_store import DEFINITIONS, ESTATE, LIMITS, NOW, events
from throughline.core.event import Event, content_digest, identity_digest
from throughline.core.instants import HOUR


def earlier(event: Event) -> Event:
    """Return another content under the same source and id, received before it."""
    other = msgspec.structs.replace(event, received=event.received - HOUR, fields={"ticket": "T-9"})
    return msgspec.structs.replace(other, digest=content_digest(other))


def folded(first_seq: int) -> Engine:
    """Fold events twice, and after a restart a third time with an earlier content of one, from a seq on."""
    engine = Engine.open(":memory:", DEFINITIONS, ESTATE, LIMITS)
    engine.store.next_seq = first_seq
    engine.fold(events()[:2], NOW)
    engine.fold(events(), NOW)
    engine = Engine(engine.store.connection, DEFINITIONS, ESTATE, LIMITS)
    engine.fold([*events(), earlier(events()[0])], NOW)
    engine.fold([happened("6", "ticket.opened", NOW - HOUR, ticket="T-6")], NOW)
    return engine


def test_events_before_and_after_the_beginning_of_a_bucket_count_once_and_show_the_same() -> None:
    whole, parted = folded(1), folded(BUCKET_KEYS - 3)
    documents = case_documents(snapshot_of(whole, DEFINITIONS, ESTATE, LIMITS, NOW))
    assert case_documents(snapshot_of(parted, DEFINITIONS, ESTATE, LIMITS, NOW)) == documents
    assert len(documents) == 5
    assert parted.store.counters() == whole.store.counters()
    assert parted.store.counters()["duplicates"] == {"/firm/psa": 5, "/erp": 3}
    rows = parted.store.rows("SELECT first, length(marks) / 40 FROM counted ORDER BY first")
    assert rows[:3] == [(BUCKET_KEYS - 3, 2), (BUCKET_KEYS - 1, 1), (BUCKET_KEYS, 2)]
    replaced = identity_digest(events()[0].source, events()[0].id)
    row = parted.store.seen([replaced])[replaced]
    assert row.seq >> 16 == 1
    stored = parted.store.events([row.seq])
    assert parted.store.standing(stored) == stored
    drop_events(parted.store, stored)
    assert parted.store.seen([replaced]) == {}
    whole.close()
    parted.close()
