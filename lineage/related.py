"""Related objects: from each key of a case, up and down, to cases of other processes.

Up: those that the key names or is carried by. Down: those that have it for context, as a time entry has its project,
where the case is itself about that object. What merely shares a customer with a case is not related to it; the query
of a key finds all that has to do with it.
"""

from __future__ import annotations

from urllib.parse import urlencode

import msgspec

from lineage.document import KeyDocument
from lineage.fact import CaseState
from lineage.lookup import Found, Part, cases_of, count_cases
from lineage.read import CaseView, Snapshot
from throughline.core.key import Key

MOST_CASES = 20  # shown of one key; /api/v1/records has them all
_UP = (Part.NAME, Part.ALIAS, Part.CARRIER)


class CaseRef(msgspec.Struct, frozen=True):
    """A case, by what it is asked for with. ``role``: that of the key in it."""

    process: str
    key_type: str
    name: str
    scope: dict[str, str]
    state: CaseState
    role: str


class RelatedDocument(msgspec.Struct, frozen=True):
    """A key of the case, its role there, and the cases of other processes that it leads to, closest role first.

    ``case_count``: how many these are; ``more``: there are more than shown. ``query`` asks for all that has the key.
    """

    key: KeyDocument
    role: str
    cases: list[CaseRef]
    case_count: int
    more: bool
    query: str


class Relatives:
    """Finds related objects in one snapshot; what a key leads to is asked once, however many cases have it."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._known: dict[tuple[str, str, Key], RelatedDocument] = {}

    def of(self, view: CaseView) -> list[RelatedDocument]:
        """Return every key of a case with the cases it leads to: by role, then type and value."""
        keys_by_role = self._snapshot.keys_by_role(view)
        return [self._of_key(view.process.name, role, key) for role, keys in keys_by_role.items() for key in keys]

    def _of_key(self, process: str, role: str, key: Key) -> RelatedDocument:
        known = self._known.get((process, role, key))
        if known is None:
            known = self._known[process, role, key] = _related(self._snapshot, process, role, key)
        return known


def _related(snapshot: Snapshot, process: str, role: str, key: Key) -> RelatedDocument:
    shown = KeyDocument(key.type, key.value, snapshot.scope(key))
    parts = _UP if role == Part.RELATION.word else tuple(Part)
    others = cases_of(snapshot, key, parts, None, MOST_CASES + 1, but=process)
    more = len(others) > MOST_CASES
    count = count_cases(snapshot, key, parts, but=process) if more else len(others)
    return RelatedDocument(shown, role, case_refs(snapshot, others[:MOST_CASES]), count, more, _query(shown))


def _query(key: KeyDocument) -> str:
    scope = {f"scope.{name}": value for name, value in key.scope.items()}
    return f"/api/v1/records?{urlencode({'type': key.type, 'value': key.value, **scope})}"


def case_refs(snapshot: Snapshot, found: list[Found]) -> list[CaseRef]:
    """Return what each found case is asked for with."""
    if not found:
        return []
    states = dict(
        snapshot.store.rows(
            "SELECT id, state FROM cases WHERE id IN (SELECT value FROM json_each(?))",
            snapshot.store.array(each.case_id for each in found),
        )
    )
    refs: list[CaseRef] = []
    for each in found:
        key = Key.decode(each.name)
        state = CaseState(states[each.case_id])
        refs.append(CaseRef(each.process, key.type, key.value, snapshot.scope(key), state, each.part.word))
    return refs
