"""What no process knows is counted by source and type, once each, in whatever order and batches it comes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage.unmapped import unmapped_after
from tests.guarantees.shown import PACK
from tests.guarantees.story import Story
from throughline.core.event import Event, seal
from throughline.core.instants import parse_instant

BEGAN = parse_instant("2026-03-02T09:00:00Z")


def event(number: int, kind: str = "erp.invoice.posted", source: str = "/erp", later: int = 0, **fields: Any) -> Event:
    draft = Event(
        source=source, id=str(number), type=kind, time=BEGAN, received=0, digest=b"", failed=False, fields=fields
    )
    return seal(draft, BEGAN + later)


def listed(story: Story) -> list[tuple[str, str, int, list[str]]]:
    found = unmapped_after(story.snapshot().store, PACK, "", "", 100)
    return [(each.source, each.type, each.count, each.fields) for each in found]


def told(folder: Path, *batches: list[Event]) -> tuple[list[tuple[str, str, int, list[str]]], int]:
    story = Story(folder / "store.db")
    story.at("2026-03-02T10:00:00Z")
    for batch in batches:
        story.tell(*batch)
    shown = listed(story), story.status()["counts"]["unmapped"]
    story.close()
    return shown


def test_a_type_that_no_process_declares_is_counted_and_others_are_not(tmp_path: Path) -> None:
    shown = told(
        tmp_path,
        [
            event(1, invoiceId="INV-1"),
            event(2, later=1, projectCode="P", invoiceId="INV-2"),
            event(1, invoiceId="INV-1"),
        ],
        [event(3, "time.approved", time_entry="T1"), event(4, "source.heartbeat", until="2026-03-02T09:00:00Z")],
        [event(5, source="/crm")],
    )
    assert shown == (
        [("/crm", "erp.invoice.posted", 1, []), ("/erp", "erp.invoice.posted", 2, ["invoiceId", "projectCode"])],
        3,
    )


EVENTS = st.lists(
    st.builds(
        event,
        st.integers(0, 3),
        st.sampled_from(["erp.a", "erp.b", "time.approved"]),
        later=st.integers(0, 2),
        field=st.sampled_from(["x", "y"]),
    ),
    max_size=6,
)


@given(EVENTS, st.randoms(use_true_random=False))
@settings(max_examples=25, deadline=None)
def test_neither_order_nor_batches_nor_duplicates_matter(
    tmp_path_factory: pytest.TempPathFactory, events: list[Event], random: Any
) -> None:
    other = [*events, *events[:2]]
    random.shuffle(other)
    one_batch = told(tmp_path_factory.mktemp("one"), events) if events else None
    each_alone = told(tmp_path_factory.mktemp("each"), *[[one] for one in other])
    assert one_batch is None or one_batch == each_alone


def test_pages_go_on_after_the_last_one(tmp_path: Path) -> None:
    story = Story(tmp_path / "store.db")
    story.at("2026-03-02T10:00:00Z")
    story.tell(*(event(number, f"erp.{number}") for number in range(5)))
    store = story.snapshot().store
    first = unmapped_after(store, PACK, "", "", 3)
    rest = unmapped_after(store, PACK, first[-1].source, first[-1].type, 3)
    assert [each.type for each in (*first, *rest)] == [f"erp.{number}" for number in range(5)]
    story.close()
