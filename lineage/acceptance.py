"""Acceptances: exceptions that a person settled as waived, written off or handled elsewhere; pure.

The rules are those of docs/reference/derived-state.md. An acceptance is of a deviation as the person saw it: the same
kind, step, round and ``since``. Contrary evidence ends it: whatever was received after it and moves ``since``, or
changes the reason, makes the deviation open again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from lineage.fact import Accepted, Deviation
from lineage.overrides import key_of
from throughline.core.key import KeyType
from throughline.core.statement import DeviationRef, Statement, Verb

NONE_SAID: tuple[Statement, ...] = ()


class Acceptances:
    """What people said of exceptions, by process and interned name of the case. Statements are few: all in memory."""

    def __init__(self, key_types: Mapping[str, KeyType], statements: Iterable[Statement] = ()) -> None:
        self._key_types = dict(key_types)
        self._said: dict[tuple[str, str], tuple[Statement, ...]] = {}
        for statement in statements:
            self.add(statement)

    def add(self, statement: Statement) -> tuple[str, str] | None:
        """Take a statement in; return process and interned name of its case, None where it is about no exception."""
        if statement.b is not None or statement.process is None:
            return None
        key = key_of(statement.a, self._key_types)
        if key is None:
            return None
        case = statement.process, key.encode()
        self._said[case] = (*self.of(*case), statement)
        return case

    def of(self, process: str, name: str) -> tuple[Statement, ...]:
        """Return the statements about exceptions of a case, in the order in which they were recorded."""
        return self._said.get((process, name), NONE_SAID)


Known = Callable[[int], Iterable[Deviation]]
"""The deviations of the case as they follow from what was received until an instant."""


def accept(deviations: Iterable[Deviation], said: Sequence[Statement], known: Known) -> tuple[Deviation, ...]:
    """Return the deviations, those closed that are accepted now."""
    return tuple(_judged(each, said, known) if each.open else each for each in deviations)


def _judged(found: Deviation, said: Sequence[Statement], known: Known) -> Deviation:
    last = max((each for each in said if ref_of(found) in each.deviations), key=_order, default=None)
    if last is None or last.verb is not Verb.ACCEPT or last.accepted_as is None:
        return found
    if found not in known(last.at):
        return found
    accepted = Accepted(last.accepted_as, last.by, last.at, last.why, last.id)
    return msgspec.structs.replace(found, open=False, accepted=accepted)


def _order(statement: Statement) -> tuple[int, str]:
    return statement.order


def ref_of(found: Deviation) -> DeviationRef:
    """Return a deviation as a statement names it."""
    return DeviationRef(found.kind.value, found.step, found.round, found.since)
