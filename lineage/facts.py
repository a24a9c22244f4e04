"""Facts from events: what one event says to one of its cases, and to the values at which it stands."""

from __future__ import annotations

from collections.abc import Mapping

from lineage.fact import Fact
from lineage.links import Drawing, Keys, Owned, Stand
from lineage.process import Definitions, Process
from throughline.core.event import Event, FieldValue
from throughline.core.key import Key

MESSAGE_LENGTH = 200
_NOTHING = Owned("", (), (), ())
_NO_PAIRS: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())


class FactMaker:
    """Makes the facts of one event, for any of its processes; reused by the batch for the parts they share."""

    __slots__ = ("_amounts_of", "_event", "_fields", "_key_types", "_keys", "seq")

    def __init__(self, definitions: Definitions, event: Event, keys: Keys) -> None:
        """``seq`` is set once it is known, before any fact is asked for."""
        self._key_types = key_types = definitions.key_types
        self._event = event
        self._keys = keys
        self.seq = 0
        self._fields: dict[str, FieldValue] = {
            name: value for name, value in event.fields.items() if name not in key_types and value.__class__ is not list
        }
        self._amounts_of: dict[str, dict[str, str]] | None = None  # by type of name: an event may name thousands

    def of_name(self, drawing: Drawing, name: str, owned: Owned | None, ids: Mapping[str, int]) -> Fact:
        """Return the fact for the case of one of the event's names."""
        process = drawing.process
        alone = len(drawing.at) == 1
        amount, hours = self._share(process, name, alone)
        return self._fact(
            owned or _NOTHING,
            ids,
            amount,
            hours,
            None,
            *(_paired_names(process.name_key, self._keys) if self._keys.stated else _NO_PAIRS),
            self._uniques(process, owned) if process.unique and owned else (),
            not alone,
        )

    def of_value(self, drawing: Drawing, owned: Owned | None, ids: Mapping[str, int]) -> Fact:
        """Return the fact that stands at an alias or a carrier.

        A carrier's own total is no case's share (lineage/amounts.py): it is kept for what is asked of the carrier.
        """
        event = self._event
        is_alias = drawing.stand is Stand.ALIAS
        alone = len(drawing.at) == 1 or (is_alias and len({_kind(text) for text in drawing.at}) == len(drawing.at))
        return self._fact(
            owned or _NOTHING,
            ids,
            event.amount if alone else None,
            event.hours if alone and is_alias else None,
            self._amounts(drawing.process) if event.amounts else None,
            (),
            (),
            (),
            not alone,
        )

    def _fact(
        self,
        owned: Owned,
        ids: Mapping[str, int],
        amount: str | None,
        hours: str | None,
        amounts: dict[str, str] | None,
        from_names: tuple[str, ...],
        to_names: tuple[str, ...],
        uniques: tuple[tuple[str, str, str], ...],
        shared: bool,
    ) -> Fact:
        event = self._event
        number = ids.__getitem__
        return Fact(
            self.seq,
            event.source,
            event.id,
            event.type,
            event.time,
            event.received,
            event.failed,
            event.error.category if event.error is not None else ("unknown" if event.failed else None),
            event.system,
            event.instance,
            amount,
            event.currency,
            hours,
            self._fields,
            tuple(map(number, owned.aliases)),
            tuple(map(number, owned.carriers)),
            tuple(map(number, owned.relations)),
            amounts,
            from_names,
            to_names,
            uniques,
            event.trace_id,
            event.synthetic,
            _message(event),
            shared,
        )

    def _share(self, process: Process, name: str, alone: bool) -> tuple[str | None, str | None]:
        """Return the amount and hours that the event tells of this very case."""
        event = self._event
        if event.amounts:
            amount = self._amounts(process).get(Key.decode(name).value)
            if amount is not None:
                return amount, event.hours if alone else None
        return (event.amount, event.hours) if alone else (None, None)

    def _amounts(self, process: Process) -> dict[str, str]:
        """Return the event's amounts by normalised value of the name; of equal ones the first by its text.

        By its text, as the order in which a sender wrote them is no part of an event's content.
        """
        if self._amounts_of is None:
            self._amounts_of = {}
        found = self._amounts_of.get(process.name_key)
        if found is None:
            found = self._amounts_of[process.name_key] = {}
            key_type = self._key_types[process.name_key]
            for raw, amount in sorted((self._event.amounts or {}).items()):
                value = key_type.value(raw)
                if value is not None:
                    found.setdefault(value, amount)
        return found

    def _uniques(self, process: Process, owned: Owned) -> tuple[tuple[str, str, str], ...]:
        found: list[tuple[str, str, str]] = []
        for text in (*owned.carriers, *owned.relations):
            kind = _kind(text)
            scope = process.unique.get(kind)
            if scope is not None:
                found.append((kind, text, "\x1f".join(self._event.text(name) or "" for name in scope)))
        return tuple(found)


def bare_fact(event: Event, seq: int) -> Fact:
    """Return what an event says by itself, without keys and shares: of an event that is shown but does not count."""
    return Fact(
        seq,
        event.source,
        event.id,
        event.type,
        event.time,
        event.received,
        event.failed,
        event.error.category if event.error is not None else None,
        event.system,
        event.instance,
        trace_id=event.trace_id,
        synthetic=event.synthetic,
        message=_message(event),
    )


def _message(event: Event) -> str | None:
    """Return what a failure says in words, or its code where it has none."""
    error = event.error
    if error is None or not event.failed:
        return None
    text = error.message or error.code
    return None if text is None else text[:MESSAGE_LENGTH]


def _kind(text: str) -> str:
    return text.partition("\x1f")[0]


def _paired_names(name_key: str, keys: Keys) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names at the from and the to end of stated pairs of names."""
    pairs = [pair for pair in keys.stated if pair.from_type == name_key and pair.to_type == name_key]
    return (
        tuple(pair.from_value for pair in pairs if pair.from_value is not None),
        tuple(pair.to_value for pair in pairs if pair.to_value is not None),
    )
