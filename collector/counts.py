"""What the collector counts, each series looked up once."""

from __future__ import annotations

from collector.journal_file import Written
from collector.reading import Door, Reading, Refusal
from collector.setaside import Reason
from throughline.core import metric_names as names
from throughline.core.journal import ReplayOutcome
from throughline.core.metrics import TRACE, Form, Meter, Metric, Part
from throughline.core.token import SignInFault

ACCEPTED = "accepted"
SLOW_SECONDS = 0.1  # what takes longer is worth a trace: all others are spared the time that an exemplar takes


class DoorCounts:
    """The series of one door."""

    def __init__(self, meter: Meter, door: Door) -> None:
        def counter(metric: Metric):
            return meter.counter(metric, door=door)

        outcomes = (ACCEPTED, *Refusal)
        self._outcomes = {word: meter.counter(names.REQUESTS, door=door, outcome=word) for word in outcomes}
        self._reasons = {word: meter.counter(names.SET_ASIDE, door=door, reason=word) for word in Reason}
        self._failed = {word: meter.counter(names.FAILED_SIGN_INS, door=door, reason=word) for word in SignInFault}
        self._seconds = meter.histogram(names.ACKNOWLEDGE_SECONDS, door=door)
        self._bytes = counter(names.RECEIVED_BYTES)
        self._events = counter(names.RECEIVED_EVENTS)
        self._spans = counter(names.RECEIVED_SPANS)
        self._logs = counter(names.RECEIVED_LOG_RECORDS)
        self._points = counter(names.REFUSED_METRIC_POINTS)
        self._traceparents = counter(names.IGNORED_TRACEPARENTS)
        self.connections = meter.gauge(names.CONNECTIONS, door=door)

    def accepted(self, reading: Reading, seconds: float) -> None:
        """Count a request that was acknowledged, and what it brought."""
        self._outcomes[ACCEPTED].inc()
        self._seconds.observe(seconds, _exemplar(reading) if seconds > SLOW_SECONDS else None)
        if reading.events:
            self._events.inc(len(reading.events))
        if reading.spans:
            self._spans.inc(len(reading.spans))
        if reading.logs:
            self._logs.inc(len(reading.logs))
        if reading.metric_points:
            self._points.inc(reading.metric_points)
        if reading.ignored_traceparents:
            self._traceparents.inc(reading.ignored_traceparents)

    def set_aside(self, reading: Reading) -> None:
        """Count what a request brought that can't be read."""
        for rejected in reading.rejected:
            self._reasons[rejected.set_aside.reason].inc()
        if reading.invalid_spans:
            self._reasons[Reason.BAD_SPAN_ID].inc(reading.invalid_spans)

    def refused(self, refusal: Refusal) -> None:
        """Count a request that was refused as a whole."""
        self._outcomes[refusal].inc()

    def sign_in_failed(self, fault: SignInFault) -> None:
        """Count a request whose sender is not known."""
        self._failed[fault].inc()

    def received(self, body_bytes: int) -> None:
        """Count a body, as sent."""
        self._bytes.inc(body_bytes)


def _exemplar(reading: Reading) -> dict[str, str] | None:
    """Return the trace that a request belongs to, as far as one is at hand."""
    trace = next((event.trace_id for event in reading.events if event.trace_id), None)
    trace = trace or next((span.trace_id.hex() for span in reading.spans), None)
    return {TRACE: trace} if trace else None


class JournalCounts:
    """The series of the journal's writer; the observer of ``Journal``."""

    def __init__(self, meter: Meter) -> None:
        self._seconds = meter.histogram(names.COMMIT_SECONDS)
        self._requests = meter.histogram(names.COMMIT_REQUESTS)
        self._failures = meter.counter(names.COMMIT_FAILURES)
        self._position = meter.gauge(names.JOURNAL_POSITION)

    def committed(self, entries: int, seconds: float, written: Written) -> None:
        self._seconds.observe(seconds)
        self._requests.observe(entries)
        self._position.set(written.record)

    def commit_failed(self) -> None:
        self._failures.inc()


class Counts:
    """All series of the collector."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self.journal = JournalCounts(meter)
        self._replays = {word: meter.counter(names.REPLAYS, outcome=word) for word in ReplayOutcome}
        self._doors = {door: DoorCounts(meter, door) for door in Door}

    def door(self, door: Door) -> DoorCounts:
        return self._doors[door]

    def replayed(self, outcome: ReplayOutcome) -> None:
        """Count a set-aside event that went the same way again."""
        self._replays[outcome].inc()

    def expose(
        self,
        waiting: tuple[int, int],
        in_hand_bytes: int,
        journal_bytes: int,
        guard_faults: int,
        form: Form = Form.PLAIN,
    ) -> str:
        """Return all series as text; what waits for a commit, what is in hand and the journal's size are as of now.

        So are the faults of the files that guard the doors.
        """
        self._meter.gauge(names.GUARD_FILE_FAULTS).set(guard_faults)
        self._meter.gauge(names.IN_HAND_BYTES).set(in_hand_bytes)
        self._meter.gauge(names.QUEUE_REQUESTS).set(waiting[0])
        self._meter.gauge(names.QUEUE_BYTES).set(waiting[1])
        self._meter.gauge(names.JOURNAL_BYTES).set(journal_bytes)
        return self._meter.expose(form)


def new_counts() -> Counts:
    return Counts(Meter(Part.COLLECTOR, names.METRICS))
