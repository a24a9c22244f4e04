"""Saving: what is derived of cases into the rows that lists, sums and ticks read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import IntFlag
from typing import Any, NamedTuple

from lineage.fact import CaseState, Derived, Deviation
from lineage.store import CaseRow, StoreWriter, encode

EMPTY = "empty"  # the state of a row that holds no event: a case that was, or that only a statement names


class Mark(IntFlag):
    """Which other tables hold rows of a case, so that most cases need no look there."""

    DEVIATIONS = 1
    SIGHT = 2


class Saved(NamedTuple):
    """One case to save; ``derived`` None: nothing is left of it, and its row stands as empty."""

    row: CaseRow
    derived: Derived | None


def save(store: StoreWriter, saved: Sequence[Saved], now: int) -> None:
    """Write the rows of derived cases, their deviations, beliefs and what they wait to see."""
    marks = _marks(store, [each.row.id for each in saved])
    store.many(
        "INSERT INTO cases (id, process, name, facts, state, step, waits_for, due, began, last, held, amount,"
        " currency, hours, synthetic, wake_at, marks) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
        " ON CONFLICT (id) DO UPDATE SET facts = excluded.facts, state = excluded.state, step = excluded.step,"
        " waits_for = excluded.waits_for, due = excluded.due, began = excluded.began, last = excluded.last,"
        " held = excluded.held, amount = excluded.amount, currency = excluded.currency, hours = excluded.hours,"
        " synthetic = excluded.synthetic, wake_at = excluded.wake_at, marks = excluded.marks",
        [_case_row(row, derived) if derived is not None else _empty_row(row) for row, derived in saved],
    )
    _save_deviations(store, saved, marks, now)
    _save_sight(store, saved, marks)


def _marks(store: StoreWriter, ids: Iterable[int]) -> dict[int, int]:
    question = "SELECT id, marks FROM cases WHERE marks <> 0 AND id IN (SELECT value FROM json_each(?))"
    return dict(store.rows(question, _json(list(ids))))


def _json(ids: list[int]) -> str:
    return "[" + ",".join(map(str, ids)) + "]"


def _case_row(row: CaseRow, derived: Derived) -> tuple[Any, ...]:
    waits, exposure = derived.waits, derived.exposure
    marks = Mark.DEVIATIONS * any(deviation.open for deviation in derived.deviations) | Mark.SIGHT * bool(derived.sight)
    return (
        row.id,
        row.process,
        row.name,
        encode(row.facts),
        derived.state.value,
        waits.step if waits else None,
        waits.waits_for if waits else None,
        waits.due if waits else None,
        derived.began,
        derived.last,
        exposure is not None,
        exposure.amount if exposure else None,
        exposure.currency if exposure else None,
        exposure.hours if exposure else None,
        derived.synthetic,
        derived.wake_at,
        int(marks),
    )


def _empty_row(row: CaseRow) -> tuple[Any, ...]:
    return row.id, row.process, row.name, encode(row.facts), EMPTY, *(None,) * 11, 0


_Key = tuple[str, str, int]


def _key(deviation: Deviation) -> _Key:
    return deviation.kind.value, deviation.step or "", deviation.round or 0


def _save_deviations(store: StoreWriter, saved: Sequence[Saved], marks: dict[int, int], now: int) -> None:
    before: dict[int, set[_Key]] = {}
    marked = [each.row.id for each in saved if marks.get(each.row.id, 0) & Mark.DEVIATIONS]
    if marked:
        for case_id, kind, step, number in store.rows(
            "SELECT case_id, kind, step, round FROM deviation WHERE case_id IN (SELECT value FROM json_each(?))",
            _json(marked),
        ):
            before.setdefault(case_id, set()).add((kind, step, number))
    gone: list[tuple[Any, ...]] = []
    opened: list[tuple[Any, ...]] = []
    beliefs: list[tuple[Any, ...]] = []
    closed: list[tuple[Any, ...]] = []
    for row, derived in saved:
        known = before.get(row.id, set())
        deviations = derived.deviations if derived is not None else ()
        if not known and not deviations:
            continue
        stands = {_key(each): each for each in deviations if each.open}
        for key in known - stands.keys():
            gone.append((row.id, *key))
            closed.append((now, _closed_as(derived, key), row.id, *key))
        for key, each in stands.items():
            opened.append((row.id, *key, each.since))
            if key not in known:
                beliefs.append((row.id, *key, now))
    store.many("DELETE FROM deviation WHERE case_id = ? AND kind = ? AND step = ? AND round = ?", gone)
    store.many("INSERT OR REPLACE INTO deviation (case_id, kind, step, round, since) VALUES (?, ?, ?, ?, ?)", opened)
    store.many(
        "UPDATE belief SET closed_at = ?, closed_as = ? WHERE case_id = ? AND kind = ? AND step = ? AND round = ?",
        closed,
    )
    store.many(
        "INSERT INTO belief (case_id, kind, step, round, opened_at) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (case_id, kind, step, round) DO UPDATE SET closed_at = NULL, closed_as = NULL",
        beliefs,
    )


def _closed_as(derived: Derived | None, key: _Key) -> str:
    """Say how a deviation closed: on evidence, with its round or case, or because late events took it back."""
    if derived is None:
        return "restated"
    for each in derived.deviations:
        if _key(each) == key and not each.open:
            return "ended" if each.ended else "resolved"
    return "ended" if derived.state is CaseState.ENDED else "restated"


def _save_sight(store: StoreWriter, saved: Sequence[Saved], marks: dict[int, int]) -> None:
    gone = [(each.row.id,) for each in saved if marks.get(each.row.id, 0) & Mark.SIGHT]
    if gone:
        store.many("DELETE FROM sight WHERE case_id = ?", gone)
    rows = [
        (source, at, each.row.id) for each in saved if each.derived is not None for source, at in each.derived.sight
    ]
    if rows:
        store.many("INSERT OR REPLACE INTO sight (source, at, case_id) VALUES (?, ?, ?)", rows)
