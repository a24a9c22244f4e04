"""What happens to one request, whatever door it came in at: decode, journal, say what became of it."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple

import msgspec

from collector.cloudevents import read_cloudevents
from collector.counts import Counts
from collector.entry import Entry, Quarantined
from collector.journal import Journal
from collector.json_bodies import read_json
from collector.mapped import NO_MAPPINGS
from collector.otlp import read_logs, read_metrics, read_traces
from collector.reading import Door, Reading, Refusal, Refused, Rejected, Signal
from collector.room import Room
from collector.setaside import SetAside
from throughline.core.clock import Clock
from throughline.core.event import HISTORY_HEADER, Event, encode_block, identity_digest
from throughline.core.journal import RawRequest, encode_array, position_text
from throughline.core.mappings.folder import Mappings

LARGE_BODY_BYTES: Final = 256 * 1024  # decoded in a thread, so that small requests beside it go on
RECENT_EVENTS: Final = 100_000


class Incoming(NamedTuple):
    """A request, its body inflated; ``headers`` holds its ``ce-`` headers.

    ``history``: its events may be older than what is kept. ``weigh`` judges what it brings.
    """

    door: Door
    signal: Signal
    sender: str
    content_type: str
    headers: Mapping[str, str]
    body: bytes
    history: bool = False
    weigh: Callable[[Reading], None] | None = None


class Receipt(msgspec.Struct, frozen=True):
    """What became of a request: all of it that was accepted is durable."""

    reading: Reading
    duplicates: int
    position: str

    @property
    def accepted(self) -> int:
        return len(self.reading.events)

    @property
    def set_aside(self) -> list[Rejected]:
        return self.reading.rejected


class AllSetAside(Refused):
    """Not one event of a request could be taken; all are in quarantine."""

    def __init__(self, receipt: Receipt) -> None:
        self.receipt = receipt
        super().__init__(Refusal.ALL_SET_ASIDE, "not one event of this request could be taken; each says why")


class RecentEvents:
    """Remembers which events were seen lately, so that a sender can be told of duplicates; it decides nothing.

    Two generations of digests, the older dropped as a whole: at least the last half of ``most``, at most all.
    """

    def __init__(self, most: int = RECENT_EVENTS) -> None:
        self._half = most // 2
        self._young: set[bytes] = set()
        self._old: set[bytes] = set()

    def duplicates(self, digests: list[bytes]) -> int:
        """Count those that were remembered already, or stand twice in the list."""
        distinct = set(digests)
        known = sum(digest in self._young or digest in self._old for digest in distinct)
        return len(digests) - len(distinct) + known

    def remember(self, digests: list[bytes]) -> None:
        """Remember events that are durable."""
        self._young.update(digests)
        if len(self._young) >= self._half:
            self._old, self._young = self._young, set()


class Intake:
    """Takes requests to the journal; ``close`` ends its thread."""

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        counts: Counts,
        nesting: int,
        mappings: Mappings = NO_MAPPINGS,
        room: Room | None = None,
    ) -> None:
        """``room`` None: there is always room."""
        self._journal = journal
        self._clock = clock
        self._counts = counts
        self._nesting = nesting
        self._mappings = mappings
        self._room = room
        self._recent = RecentEvents()
        self._large = ThreadPoolExecutor(max_workers=1, thread_name_prefix="decode")

    def close(self) -> None:
        self._large.shutdown(wait=True, cancel_futures=True)

    async def take(self, incoming: Incoming) -> Receipt:
        """Return what became of a request once it is durable; raise Refused where it isn't taken."""
        if self._room is not None:
            self._room.check()
        began = time.monotonic()
        received = self._clock.now()
        reading = await self.read(incoming, received)
        if incoming.weigh is not None:
            incoming.weigh(reading)
        counts = self._counts.door(incoming.door)
        digests = [identity_digest(event.source, event.id) for event in reading.events]
        record = self._journal.last()
        if _worth_keeping(reading):
            record = await self._journal.append(entry_of(incoming, reading, received))
        counts.set_aside(reading)
        duplicates = self._recent.duplicates(digests)
        self._recent.remember(digests)
        receipt = Receipt(reading, duplicates, position_text(record))
        if incoming.signal in (Signal.EVENTS, Signal.JSON) and reading.rejected and not reading.events:
            raise AllSetAside(receipt)
        counts.accepted(reading, time.monotonic() - began)
        return receipt

    async def read(self, incoming: Incoming, received: int) -> Reading:
        """Decode a request; raises Refused where it can't be read."""
        if len(incoming.body) < LARGE_BODY_BYTES:
            return read(incoming, received, self._nesting, self._mappings)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._large, read, incoming, received, self._nesting, self._mappings)


def asks_for_history(headers: Mapping[str, str]) -> bool:
    """Return whether a request says that its events may be older than what is kept; raise Refused for nonsense."""
    said = headers.get(HISTORY_HEADER, "false").strip().lower()
    if said not in ("true", "false"):
        raise Refused(Refusal.MALFORMED, f"{HISTORY_HEADER}: seen {said[:64]!r}, wanted true or false")
    return said == "true"


def read(incoming: Incoming, received: int, nesting: int, mappings: Mappings = NO_MAPPINGS) -> Reading:
    """Decode a request by its signal; raises Refused where it can't be read."""
    reading = _read(incoming, received, nesting, mappings)
    if incoming.history:
        for event in reading.events:
            msgspec.structs.force_setattr(event, "history", True)  # known to nobody else yet
    return reading


def _read(incoming: Incoming, received: int, nesting: int, mappings: Mappings) -> Reading:
    content_type, body = incoming.content_type, incoming.body
    match incoming.signal:
        case Signal.EVENTS:
            return read_cloudevents(content_type, incoming.headers, body, received, nesting, mappings)
        case Signal.JSON:
            return read_json(content_type, body, received, nesting, mappings)
        case Signal.TRACES:
            return read_traces(content_type, body, received, nesting, mappings)
        case Signal.LOGS:
            return read_logs(content_type, body, received, nesting, mappings)
        case Signal.METRICS:
            return read_metrics(content_type, body, nesting)


def _worth_keeping(reading: Reading) -> bool:
    return bool(reading.events or reading.spans or reading.logs or reading.rejected)


def entry_of(incoming: Incoming, reading: Reading, received: int) -> Entry:
    """Return what a request brings to the journal."""
    taken: list[Event] = reading.events
    request = None
    if taken or reading.spans or reading.logs:
        headers = dict(incoming.headers)
        if incoming.history:
            headers[HISTORY_HEADER] = "true"
        request = RawRequest(
            received,
            incoming.door,
            incoming.signal,
            incoming.sender,
            incoming.content_type,
            incoming.body,
            headers or None,
        )
    events, spans, logs = encode_block(taken), encode_array(reading.spans), encode_array(reading.logs)
    quarantined = [_quarantined(incoming, rejected, received) for rejected in _by_body(reading.rejected)]
    size = len(incoming.body) + len(events) + len(spans) + len(logs) + sum(len(event.body) for event in quarantined)
    return Entry(request, events, len(taken), spans, len(reading.spans), logs, len(reading.logs), quarantined, size)


def _by_body(rejected: Sequence[Rejected]) -> list[Rejected]:
    """Return one entry for each input: those that share a body are one, with the first's reason and their number."""
    first: dict[int, Rejected] = {}
    further: Counter[int] = Counter()
    for each in rejected:
        if first.setdefault(id(each.body), each) is not each:
            further[id(each.body)] += 1
    for body, number in further.items():
        set_aside = first[body].set_aside
        sentence = f"{set_aside.sentence}; and {number} more of the same input"
        first[body] = msgspec.structs.replace(first[body], set_aside=SetAside(set_aside.reason, sentence))
    return list(first.values())


def _quarantined(incoming: Incoming, rejected: Rejected, received: int) -> Quarantined:
    return Quarantined(
        received=received,
        door=incoming.door,
        sender=incoming.sender,
        source=rejected.source,
        event_id=rejected.event_id,
        type=rejected.type,
        reason=rejected.set_aside.reason,
        sentence=rejected.set_aside.sentence,
        signal=incoming.signal,
        content_type=rejected.content_type,
        body=rejected.body,
    )
