"""Of what the time consists that a record took from one system to the next, by the spans of its trace; pure.

OpenTelemetry says of each span what its time is (Trace API, SpanKind; opentelemetry.io/docs/specs/otel/trace/api):
SERVER and CONSUMER handle what came from another process, INTERNAL is work within one; CLIENT and PRODUCER hand over to
another one. UNSPECIFIED counts as INTERNAL, as opentelemetry-proto has it (trace.proto, Span.SpanKind).

Let a latency last from ``began`` (ready in the source: its event's time) to ``ended`` (seen in the target). Of its
trace those spans count that lie at least in part between the two, and name no other flow. Then

    waiting     from began until the first of them begins, or what it handles was handed over to it (its parent, a
                PRODUCER or CLIENT span, begins); nothing where that was before;
    processing  the time that the working ones cover together (SERVER, CONSUMER, INTERNAL), cut to what lies between,
                time that several cover counted once;
    transport   all the rest: on the wire, in queues, and under CLIENT and PRODUCER spans where nobody works.

The three are whole microseconds, none is below 0, and they add up to the latency exactly, whatever clocks say: what
spans claim before ``began`` or after ``ended`` is cut off. A span whose end is before its beginning has no length. The
order of spans, and spans told twice, change nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from kpis.distribution import Distribution, restored
from throughline.core.instants import MICROSECONDS

HUNDREDTHS = 100  # of a second: quantiles are told to one of them, and of a year at most
_HUNDREDTH = MICROSECONDS // HUNDREDTHS


class LatencyPart(StrEnum):
    """What a latency consists of."""

    WAITING = "waiting"
    TRANSPORT = "transport"
    PROCESSING = "processing"


class Split(NamedTuple):
    """The parts of one latency, in microseconds, in the order of ``LatencyPart``; together they are the latency."""

    waiting: int
    transport: int
    processing: int


class Unsplit(StrEnum):
    """Why a latency cannot be split."""

    NO_TRACE = "no event of it tells its trace"
    NO_SPANS = "no span of its trace has come"
    GONE = "its spans, if there were any, are no longer kept"
    OUTSIDE = "no span of its trace lies within it"


class Stretch(NamedTuple):
    """What a span says of time: from when to when (microseconds), whether something worked, and for which flow.

    ``handed_over``: when another span began to hand over what this one handles; None: none did.
    """

    start: int
    end: int
    works: bool
    flow: str | None = None
    handed_over: int | None = None

    @property
    def under_way(self) -> int:
        """Return since when what it is about is under way."""
        return self.start if self.handed_over is None else min(self.start, self.handed_over)


class Traced(NamedTuple):
    """The spans of one trace. ``gone``: some may have been dropped before they were looked at."""

    stretches: tuple[Stretch, ...] = ()
    gone: bool = False


NOTHING_TRACED = Traced()


class KnownSpan(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A span as it is kept beside figures; ``start`` and ``end`` are microseconds."""

    span_id: bytes
    start: int
    end: int
    works: bool
    flow: str | None = None
    parent_id: bytes | None = None


Known = Mapping[bytes, Sequence[KnownSpan]]
"""Spans by trace."""


def stretches_of(spans: Iterable[KnownSpan]) -> tuple[Stretch, ...]:
    """Return what the spans of one trace say of time."""
    known = list(spans)
    handing_over = {span.span_id: span.start for span in known if not span.works}
    return tuple(
        Stretch(span.start, span.end, span.works, span.flow, handing_over.get(span.parent_id or b"")) for span in known
    )


def split_of(began: int, ended: int, traces: Iterable[Traced], flow: str | None) -> Split | Unsplit:
    """Return the parts of a latency by the first of some traces that has a span between; else why there are none.

    ``flow``: spans that name another one do not count; None: any may count.
    """
    known = list(traces)
    for traced in known:
        counting = [each for each in traced.stretches if flow in (None, each.flow or flow)]
        found = None if traced.gone else _split(began, ended, counting)
        if found is not None:
            return found
    if any(traced.gone for traced in known):
        return Unsplit.GONE
    if any(traced.stretches for traced in known):
        return Unsplit.OUTSIDE
    return Unsplit.NO_SPANS if known else Unsplit.NO_TRACE


def _split(began: int, ended: int, stretches: Sequence[Stretch]) -> Split | None:
    between = [each for each in stretches if each.start < ended and (each.end > began or each.start >= began)]
    if not between:
        return None
    waiting = max(0, min(each.under_way for each in between) - began)
    processing = 0
    covered = began
    for start, end in sorted((each.start, min(each.end, ended)) for each in between if each.works):
        begins = max(start, covered)
        if end > begins:
            processing += end - begins
            covered = end
    return Split(waiting, ended - began - waiting - processing, processing)


class Splits:
    """How many latencies were split, and of what they consist; those that were not, by the reason.

    ``totals`` are microseconds and ``spread`` hundredths of a second, in the order of ``LatencyPart``. Adding and
    taking back commute.
    """

    __slots__ = ("spread", "totals", "unsplit")

    def __init__(self) -> None:
        self.unsplit: dict[Unsplit, int] = {}
        self.totals = [0 for _ in LatencyPart]
        self.spread = [Distribution() for _ in LatencyPart]

    @property
    def size(self) -> int:
        """Return how many were split."""
        return self.spread[0].size

    @property
    def empty(self) -> bool:
        return not self.unsplit and not self.size

    @property
    def stale(self) -> bool:
        """Tell whether it must be counted anew, as it has few latencies and holds bins from when it had more."""
        return any(each.stale for each in self.spread)

    def enter(self, split: Split | Unsplit, times: int) -> None:
        """Count one; ``times`` below 0 takes it back. Raises ValueError where there is not so much to take back."""
        if isinstance(split, Unsplit):
            self._enter_unsplit(split, times)
            return
        for place, length in enumerate(split):
            self.spread[place].add(length // _HUNDREDTH, times)
            self.totals[place] += length * times

    def merge(self, other: Splits) -> None:
        """Add all of another one."""
        for why, count in other.unsplit.items():
            self._enter_unsplit(why, count)
        for place, each in enumerate(other.spread):
            self.spread[place].merge(each)
            self.totals[place] += other.totals[place]

    def _enter_unsplit(self, why: Unsplit, times: int) -> None:
        left = self.unsplit.get(why, 0) + times
        if left < 0:
            raise ValueError(f"seen {-times} to take back, wanted at most {left - times}")
        if left:
            self.unsplit[why] = left
        else:
            self.unsplit.pop(why, None)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Splits):
            return False
        return (self.unsplit, self.totals, self.spread) == (other.unsplit, other.totals, other.spread)

    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def to_plain(self) -> list[Any]:
        """Return it as lists, texts and whole numbers."""
        spread = [[each.exact, list(each.counts.items())] for each in self.spread]
        return [[[why.value, count] for why, count in self.unsplit.items()], self.totals, spread]

    @staticmethod
    def from_plain(plain: list[Any]) -> Splits:
        """Return what ``to_plain`` wrote."""
        unsplit, totals, spread = plain
        found = Splits()
        found.unsplit = {Unsplit(why): count for why, count in unsplit}
        found.totals = list(totals)
        found.spread = [restored(dict(counts), exact) for exact, counts in spread]
        return found


def plain_split(split: Split | Unsplit | None) -> list[int] | str | None:
    """Return a split, or why there is none, as a list or a text."""
    return list(split) if isinstance(split, Split) else None if split is None else split.value


def split_from_plain(plain: list[int] | str | None) -> Split | Unsplit | None:
    """Return what ``plain_split`` wrote."""
    return Split(*plain) if isinstance(plain, list) else None if plain is None else Unsplit(plain)


class PartOfLatency(NamedTuple):
    """How long one part of latencies takes, in seconds. ``share``: of all the time that these latencies took.

    ``error``: how far off the quantiles may be, as a share of them. ``share`` None: no time passed at all.
    """

    median: float
    p90: float
    mean: float
    share: float | None
    error: float


class Parts(NamedTuple):
    """Of what latencies consist: how many could be split, those that could not by reason, and each part.

    ``parts`` is empty where too few could be split for an answer.
    """

    split: int
    unsplit: Mapping[str, int]
    parts: Mapping[LatencyPart, PartOfLatency]


def parts_of(splits: Iterable[Splits], least: int) -> Parts:
    """Return of what all latencies consist that some sums hold; nothing is said of fewer than ``least``."""
    whole = Splits()
    for each in splits:
        whole.merge(each)
    unsplit = {why.value: whole.unsplit[why] for why in Unsplit if why in whole.unsplit}
    return Parts(whole.size, unsplit, dict(_parts(whole)) if whole.size >= max(1, least) else {})


def _parts(whole: Splits) -> Iterator[tuple[LatencyPart, PartOfLatency]]:
    together = sum(whole.totals)
    for part, total, spread in zip(LatencyPart, whole.totals, whole.spread, strict=True):
        median, p90 = spread.quantile(0.5), spread.quantile(0.9)
        assert median is not None  # there are some
        assert p90 is not None
        mean = total / whole.size / MICROSECONDS
        share = total / together if together else None
        yield part, PartOfLatency(median.seconds / HUNDREDTHS, p90.seconds / HUNDREDTHS, mean, share, median.error)
