"""How observations and cells are stored: msgpack of lists, numbers and texts; pure.

An amount is its decimal text, a day its ordinal. What is the same for all that a case contributes is stored once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec
import zstandard

from kpis.cell import Aged, Cell, Held, Place, Since
from kpis.contribution import Contribution
from kpis.declaration import Dimension
from kpis.latency import Splits, plain_split, split_from_plain
from kpis.matched import MatchedCell
from kpis.money import Money, Part, Sums
from kpis.observation import Ending, LeftOut, Observation

_ENDINGS = tuple(Ending)
_LEFT_OUT = tuple(LeftOut)
_DIMENSIONS = tuple(Dimension)
_ENDING = {each: number for number, each in enumerate(_ENDINGS)}
_REASON = {each: number for number, each in enumerate(_LEFT_OUT)}
_NAME = {each: number for number, each in enumerate(_DIMENSIONS)}

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode
_deflate = zstandard.ZstdCompressor(level=1).compress
_inflate = zstandard.ZstdDecompressor().decompress


@dataclass(frozen=True, slots=True)
class Entry:
    """What a case contributes to one version of a KPI that concerns it: observations, or contributions."""

    observations: tuple[Observation, ...] = ()
    left_out: LeftOut | None = None
    contributions: tuple[Contribution, ...] = ()


class Marks(NamedTuple):
    """When people last said something of a case (0: never), and the last event that there was at all, by its seq."""

    said: int
    folded: int


NO_MARKS = Marks(0, -1)


@dataclass(frozen=True, slots=True)
class Contributed:
    """All that a case contributes: entries by the number of the version. ``holds``: the keys by which money of others
    is counted in it while it holds some up. ``marks``: what it was seen by, to tell later what has changed it.
    """

    process: str
    case: str
    entries: Mapping[int, Entry]
    holds: tuple[str, ...] = ()
    marks: Marks = NO_MARKS


def encode_contributed(contributed: Contributed) -> bytes:
    """Return what a case contributes as it is stored."""
    shared = _shared(contributed)
    plain = [
        contributed.process,
        contributed.case,
        _plain_shared(shared),
        [[number, _plain_entry(entry, shared)] for number, entry in contributed.entries.items()],
        list(contributed.holds),
        contributed.marks,
    ]
    return _deflate(_encode(plain))


def decode_contributed(content: bytes) -> Contributed:
    """Return what was stored."""
    process, case, plain, entries, holds, *marks = _decode(_inflate(content))
    shared = _shared_of(plain)
    return Contributed(
        process,
        case,
        {number: _entry(process, case, entry, shared) for number, entry in entries},
        tuple(holds),
        Marks(*marks[0]) if marks else NO_MARKS,  # which earlier versions did not store
    )


def decode_entry(content: bytes, number: int) -> Contributed:
    """Return of what was stored what belongs to one version, which takes a fraction of the time of all of it."""
    stored = _decode_stored(_inflate(content))
    shared = _shared_of(stored.shared)
    entries = {
        version: _entry(stored.process, stored.case, _decode(entry), shared)
        for version, entry in stored.entries
        if version == number
    }
    return Contributed(stored.process, stored.case, entries, stored.holds, stored.marks)


class _Stored(msgspec.Struct, array_like=True, frozen=True):
    """What a case contributes, with the entries as they are stored."""

    process: str
    case: str
    shared: list[Any]
    entries: list[tuple[int, msgspec.Raw]]
    holds: tuple[str, ...]
    marks: Marks = NO_MARKS  # which earlier versions did not store


_decode_stored = msgspec.msgpack.Decoder(_Stored).decode


@dataclass(frozen=True, slots=True)
class _Shared:
    dimensions: Mapping[Dimension, str | None]
    amount: Money | None
    hours: Decimal | None
    region: str | None


_NOTHING = _Shared({}, None, None, None)


def _shared(contributed: Contributed) -> _Shared:
    """Return what the first observation says: most others say the same."""
    for entry in contributed.entries.values():
        for each in entry.observations:
            return _Shared(each.dimensions, each.amount, each.hours, each.region)
    return _NOTHING


def _shared_of(plain: list[Any]) -> _Shared:
    return _Shared(_dimensions(plain[0]), _money(plain[1]), _decimal(plain[2]), plain[3])


def _plain_shared(shared: _Shared) -> list[Any]:
    return [
        _plain_dimensions(shared.dimensions),
        _plain_money(shared.amount),
        _plain_decimal(shared.hours),
        shared.region,
    ]


def _plain_entry(entry: Entry, shared: _Shared) -> list[Any]:
    left_out = None if entry.left_out is None else _REASON[entry.left_out]
    contributions = [each.to_plain() for each in entry.contributions]
    return [left_out, contributions, *(_plain_observation(each, shared) for each in entry.observations)]


def _entry(process: str, case: str, plain: list[Any], shared: _Shared) -> Entry:
    left_out: int | None = plain[0]
    contributions: list[list[Any]] = plain[1]
    observations: list[list[Any]] = plain[2:]
    return Entry(
        tuple(_observation(process, case, each, shared) for each in observations),
        None if left_out is None else _LEFT_OUT[left_out],
        tuple(Contribution.from_plain(each) for each in contributions),
    )


def _plain_observation(each: Observation, shared: _Shared) -> list[Any]:
    """Return an observation as a list; what is shared is an empty list there, and the last ones that are None go."""
    others = {name: value for name, value in each.dimensions.items() if shared.dimensions.get(name) != value}
    gone = [name for name in shared.dimensions if name not in each.dimensions]
    plain = [
        each.part,
        each.day.toordinal(),
        _plain_dimensions(others),
        [_NAME[name] for name in gone],
        _ENDING[each.ending],
        each.began,
        each.ended,
        [] if each.amount == shared.amount else _plain_money(each.amount),
        [] if each.hours == shared.hours else _plain_decimal(each.hours),
        [] if each.region == shared.region else each.region,
        each.seconds,
        each.word,
        each.hit,
        each.gone,
        each.due,
        each.due_age,
        None if each.times == 1 else each.times,
        plain_split(each.split),
    ]
    while plain[-1] is None:
        plain.pop()
    return plain


_LENGTH = 18


def _observation(process: str, case: str, plain: list[Any], shared: _Shared) -> Observation:
    plain = plain + [None] * (_LENGTH - len(plain))
    part, day, others, gone, ending, began, ended, amount, hours, region = plain[:10]
    seconds, word, hit, entered, due, due_age, times, split = plain[10:]
    dimensions = shared.dimensions
    if others or gone:
        without: set[Dimension] = {_DIMENSIONS[number] for number in gone}
        kept = {name: value for name, value in dimensions.items() if name not in without}
        dimensions = kept | _dimensions(others)
    return Observation(
        process=process,
        case=case,
        part=part,
        day=date.fromordinal(day),
        dimensions=dimensions,
        ending=_ENDINGS[int(ending)],
        began=began,
        ended=ended,
        word=word,
        seconds=seconds,
        gone=entered,
        due=due,
        due_age=due_age,
        hit=hit,
        amount=shared.amount if amount == [] else _money(amount),
        hours=shared.hours if hours == [] else _decimal(hours),
        region=shared.region if region == [] else region,
        times=times or 1,
        split=split_from_plain(split),
    )


def encode_cell(cell: Cell) -> bytes:
    """Return a cell as it is stored."""
    return _encode(
        [
            [[_ENDING[ending], word, count] for (ending, word), count in cell.endings.items()],
            cell.neither,
            [_plain_aged(aged) for aged in (cell.hits, cell.misses, cell.entered)],
            [[*since, *_plain_held(held)] for since, held in cell.pending.items()],
            *([] if cell.splits is None else [cell.splits.to_plain()]),
        ]
    )


def decode_cell(content: bytes) -> Cell:
    """Return a cell that was stored."""
    endings, neither, (hits, misses, entered), pending, *splits = _decode(content)
    cell = Cell()
    cell.endings = {(_ENDINGS[number], word): count for number, word, count in endings}
    cell.neither = neither
    cell.hits, cell.misses, cell.entered = _aged(hits), _aged(misses), _aged(entered)
    cell.pending = {Since(*each[:4]): _held(each[4:]) for each in pending}
    cell.splits = Splits.from_plain(splits[0]) if splits else None
    return cell


def encode_matched(cell: MatchedCell) -> bytes:
    """Return a cell of what is compared across cases as it is stored."""
    return _deflate(_encode(cell.to_plain()))


def decode_matched(content: bytes) -> MatchedCell:
    """Return a cell of what is compared across cases that was stored."""
    return MatchedCell.from_plain(_decode(_inflate(content)))


def encode_place(place: Place) -> str:
    """Return the values of a place as a text that no other has; the day stands apart."""
    return msgspec.json.encode(place.values).decode()


def decode_place(day: int, text: str) -> Place:
    """Return a place of a day's ordinal; what an earlier release stored tells no dimension that came later."""
    values = msgspec.json.decode(text)
    return Place(date.fromordinal(day), (*values, *[""] * (len(_DIMENSIONS) - len(values))))


def _plain_aged(aged: Aged) -> list[Any]:
    return [aged.exact, [[place, *_plain_sums(sums)] for place, sums in aged.sums.items()]]


def _aged(plain: list[Any]) -> Aged:
    aged = Aged()
    aged.exact = plain[0]
    aged.sums = {place: _sums(unknown, parts) for place, unknown, parts in plain[1]}
    aged.size = sum(sums.records for sums in aged.sums.values())
    return aged


def _plain_held(held: Held) -> list[Any]:
    value = [] if held.value == held.sums else _plain_sums(held.value)
    return [_plain_sums(held.sums), value, str(held.hours), held.hours_unknown]


def _held(plain: list[Any]) -> Held:
    sums, value, hours, unknown = plain
    held = Held()
    held.sums = _sums(*sums)
    held.value = _sums(*value) if value else held.sums
    held.hours = Decimal(hours)
    held.hours_unknown = unknown
    return held


def _plain_sums(sums: Sums) -> list[Any]:
    parts = [[currency, str(part.amount), part.records] for currency, part in sums.parts.items()]
    return [sums.unknown, parts]


def _sums(unknown: int, parts: Iterable[list[Any]]) -> Sums:
    sums = Sums()
    sums.unknown = unknown
    sums.parts = {currency: Part(Decimal(amount), records) for currency, amount, records in parts}
    return sums


def _plain_dimensions(dimensions: Mapping[Dimension, str | None]) -> list[Any]:
    return [[_NAME[name], value] for name, value in dimensions.items()]


def _dimensions(plain: Iterable[list[Any]]) -> dict[Dimension, str | None]:
    return {_DIMENSIONS[number]: value for number, value in plain}


def _plain_money(money: Money | None) -> list[str] | None:
    return None if money is None else [str(money.amount), money.currency]


def _money(plain: list[str] | None) -> Money | None:
    return None if plain is None else Money(Decimal(plain[0]), plain[1])


def _plain_decimal(number: Decimal | None) -> str | None:
    return None if number is None else str(number)


def _decimal(plain: str | None) -> Decimal | None:
    return None if plain is None else Decimal(plain)
