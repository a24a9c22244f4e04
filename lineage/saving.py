"""Saving: what is derived of cases into the rows that lists, sums and ticks read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from lineage.fact import CaseState, Derived, Deviation
from lineage.store import CaseRow, StoreWriter

# Counters kept with the rows, by state and by kind: what status says must not need a look at every case.
CASES, DEVIATIONS = "cases", "deviations"
EMPTY = "empty"  # the state of a row that holds no event: a case that was, or that only a statement names
SYNTHETIC = "synthetic"  # in the place of their states: probe traffic counts in no state and no kind


class Mark:
    """What was saved of a case, so that most cases need no look at other tables; plain bits."""

    DEVIATIONS: Final = 1
    SIGHT: Final = 2
    SYNTHETIC: Final = 4


RESTATED, RETIRED = "restated", "retired"  # how a deviation closes where its case goes


class Saved(NamedTuple):
    """One case to save; ``derived`` None: nothing is left of it, and its row stands as empty.

    ``gone_as``: how its deviations close then.
    """

    row: CaseRow
    derived: Derived | None
    gone_as: str = RESTATED


def save(store: StoreWriter, saved: Sequence[Saved], now: int) -> None:
    """Write the rows of derived cases, their deviations, beliefs and what they wait to see; count what changed."""
    counted: Counter[tuple[str, str]] = Counter()
    new: list[tuple[Any, ...]] = []
    moved: list[tuple[Any, ...]] = []
    stayed: list[tuple[Any, ...]] = []
    for row, derived, _ in saved:
        state, wake_at, others = _values(row, derived)
        before = SYNTHETIC if row.marks & Mark.SYNTHETIC else row.state
        after = SYNTHETIC if derived is not None and derived.synthetic else state
        if before != after:
            counted[CASES, before] -= 1
            counted[CASES, after] += 1
        if not row.state:
            new.append((*others, _or_empty(wake_at), state, row.process, row.name))
        elif state != row.state or wake_at != row.wake_at:
            moved.append((*others[1:], _or_empty(wake_at), state, row.id))
        else:
            stayed.append((*others[1:], row.id))
    store.many(_INSERT, new)
    store.many(_MOVE, moved)
    store.many(_STAY, stayed)
    _save_deviations(store, saved, now, counted)
    _save_sight(store, saved)
    # What has retired stays in the figures of its time.
    store.note_changed(each.row.id for each in saved if each.gone_as != RETIRED)
    store.count((name, label, count) for (name, label), count in counted.items() if count and label)


# What every save writes; columns that may be NULL last. The driver takes five times as long to bind None as anything
# else, so these are given as an empty text.
_SURE = ("facts", "held", "synthetic", "marks")
_UNSURE = ("step", "waits_for", "due", "began", "last", "amount", "currency", "hours")
_OTHERS = ", ".join([*(f"{name} = ?" for name in _SURE), *(f"{name} = NULLIF(?, '')" for name in _UNSURE)])
_MARKS = ", ".join(["?"] * (1 + len(_SURE)) + ["NULLIF(?, '')"] * (len(_UNSURE) + 1) + ["?"] * 3)
_INSERT = f"INSERT INTO cases (id, {', '.join((*_SURE, *_UNSURE))}, wake_at, state, process, name) VALUES ({_MARKS})"
_MOVE = f"UPDATE cases SET {_OTHERS}, wake_at = NULLIF(?, ''), state = ? WHERE id = ?"
_STAY = f"UPDATE cases SET {_OTHERS} WHERE id = ?"  # leaves the indexes alone


def _values(row: CaseRow, derived: Derived | None) -> tuple[str, int | None, tuple[Any, ...]]:
    """Return state and wake-up of a case, and its id with the values of all other columns that change."""
    if derived is None:
        return EMPTY, None, (row.id, row.encoded(), 0, 0, 0, *[""] * len(_UNSURE))
    waits, exposure = derived.waits, derived.exposure
    step, waits_for, due = (waits.step, waits.waits_for, waits.due) if waits is not None else _THREE_TIMES_NOTHING
    held, amount, currency, hours = 0, None, None, None
    if exposure is not None:
        held, amount, currency, hours = 1, exposure.amount, exposure.currency, exposure.hours
    return (
        derived.state.value,
        derived.wake_at,
        (
            row.id,
            row.encoded(),
            held,
            1 if derived.synthetic else 0,
            _marks(derived),
            step or "",
            waits_for or "",
            "" if due is None else due,
            "" if derived.began is None else derived.began,
            "" if derived.last is None else derived.last,
            amount or "",
            currency or "",
            hours or "",
        ),
    )


_THREE_TIMES_NOTHING = (None, None, None)


def _marks(derived: Derived) -> int:
    marks = 0
    for deviation in derived.deviations:
        if deviation.open:
            marks = Mark.DEVIATIONS
            break
    if derived.sight:
        marks |= Mark.SIGHT
    return marks | Mark.SYNTHETIC if derived.synthetic else marks


def _or_empty(value: int | None) -> int | str:
    return "" if value is None else value


_Key = tuple[str, str, int]


def _key(deviation: Deviation) -> _Key:
    return deviation.kind.value, deviation.step or "", deviation.round or 0


def _save_deviations(store: StoreWriter, saved: Sequence[Saved], now: int, counted: Counter[tuple[str, str]]) -> None:
    before: dict[int, set[_Key]] = {}
    marked = [row.id for row, *_ in saved if row.marks & Mark.DEVIATIONS]
    if marked:
        for case_id, kind, step, number in store.rows(
            "SELECT case_id, kind, step, round FROM deviation WHERE case_id IN (SELECT value FROM json_each(?))",
            store.array(marked),
        ):
            before.setdefault(case_id, set()).add((kind, step, number))
    gone: list[tuple[Any, ...]] = []
    opened: list[tuple[Any, ...]] = []
    beliefs: list[tuple[Any, ...]] = []
    closed: list[tuple[Any, ...]] = []
    for row, derived, gone_as in saved:
        known = before.get(row.id, set())
        deviations = derived.deviations if derived is not None else ()
        if not known and not deviations:
            continue
        stands = {_key(each): each for each in deviations if each.open}
        if not row.marks & Mark.SYNTHETIC:
            for kind, _, _ in known:
                counted[DEVIATIONS, kind] -= 1
        if derived is not None and not derived.synthetic:
            for kind, _, _ in stands:
                counted[DEVIATIONS, kind] += 1
        for key in known - stands.keys():
            gone.append((row.id, *key))
            closed.append((now, gone_as if derived is None else _closed_as(derived, key), row.id, *key))
        for key, each in stands.items():
            opened.append((row.id, *key, each.since))
            if key not in known:
                beliefs.append((row.id, *key, now))
    store.many("DELETE FROM deviation WHERE case_id = ? AND kind = ? AND step = ? AND round = ?", gone)
    store.many(
        "INSERT INTO deviation (case_id, kind, step, round, since) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (case_id, kind, step, round) DO UPDATE SET since = excluded.since",
        opened,
    )
    store.many(
        "UPDATE belief SET closed_at = ?, closed_as = ? WHERE case_id = ? AND kind = ? AND step = ? AND round = ?",
        closed,
    )
    store.many(
        "INSERT INTO belief (case_id, kind, step, round, opened_at) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (case_id, kind, step, round) DO UPDATE SET closed_at = NULL, closed_as = NULL",
        beliefs,
    )


def _closed_as(derived: Derived, key: _Key) -> str:
    """Say how a deviation closed: on evidence, with its round or case, by a person, or as late events took it back."""
    for each in derived.deviations:
        if _key(each) == key and each.accepted is not None:
            return "accepted"
        if _key(each) == key and not each.open:
            return "ended" if each.ended else "resolved"
    return "ended" if derived.state is CaseState.ENDED else RESTATED


def _save_sight(store: StoreWriter, saved: Sequence[Saved]) -> None:
    gone = [(row.id,) for row, *_ in saved if row.marks & Mark.SIGHT]
    if gone:
        store.many("DELETE FROM sight WHERE case_id = ?", gone)
    rows = [
        (source, at, each.row.id) for each in saved if each.derived is not None for source, at in each.derived.sight
    ]
    if rows:
        store.many("INSERT INTO sight (source, at, case_id) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", rows)
