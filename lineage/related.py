"""Related objects: from each key of a case, up and down, to the cases of other processes that it names or brings in."""

from __future__ import annotations

import msgspec

from lineage.document import KeyDocument
from lineage.fact import CaseState
from lineage.lookup import Found, Part, cases_of
from lineage.read import CaseView, Snapshot
from throughline.core.key import Key

MOST_CASES = 20  # shown of one key; /api/v1/records has them all


class CaseRef(msgspec.Struct, frozen=True):
    """A case, by what it is asked for with. ``role``: that of the key in it."""

    process: str
    key_type: str
    name: str
    scope: dict[str, str]
    state: CaseState
    role: str


class RelatedDocument(msgspec.Struct, frozen=True):
    """A key of the case, its role there, and the cases of other processes that it names or brings in.

    ``more``: there are more cases than shown.
    """

    key: KeyDocument
    role: str
    cases: list[CaseRef]
    more: bool


def related(snapshot: Snapshot, view: CaseView) -> list[RelatedDocument]:
    """Return every key of a case with the cases it leads to: by role, then type and value."""
    return [_related(snapshot, view, role, key) for role, keys in snapshot.keys_by_role(view).items() for key in keys]


def _related(snapshot: Snapshot, view: CaseView, role: str, key: Key) -> RelatedDocument:
    shown = KeyDocument(key.type, key.value, snapshot.scope(key))
    parts = (Part.NAME, Part.ALIAS, Part.CARRIER)
    others = cases_of(snapshot, key, parts, None, MOST_CASES + 1, but=view.process.name)
    return RelatedDocument(shown, role, case_refs(snapshot, others[:MOST_CASES]), len(others) > MOST_CASES)


def case_refs(snapshot: Snapshot, found: list[Found]) -> list[CaseRef]:
    """Return what each found case is asked for with."""
    states = dict(
        snapshot.store.rows(
            "SELECT id, state FROM cases WHERE id IN (SELECT value FROM json_each(?))",
            "[" + ",".join(str(each.case_id) for each in found) + "]",
        )
    )
    refs: list[CaseRef] = []
    for each in found:
        key = Key.decode(each.name)
        state = CaseState(states[each.case_id])
        refs.append(CaseRef(each.process, key.type, key.value, snapshot.scope(key), state, each.part.word))
    return refs
