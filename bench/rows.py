"""The rows: each measures some figures against a running service."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from bench.figures import Measured
from bench.frames import event_frames, write_frames, write_workload
from bench.prober import Probe, Probed, Probing, ask, folded, tell
from bench.sender import Load, Sent, send, sending
from bench.service import NotMeasured, Service, running, until, watched_memory
from bench.spans import SPANS_PER_TRACE, last_trace, span_frames
from bench.startup import measure_startup
from bench.workload import APART, FAR, GROUP, SPAN, STEPS, TIME_ENTRIES, Workload, arrivals, keys_of_case, one_invoice

BATCH = 100
STEADY_SECONDS = 8.0
PROBES_PER_SECOND = 20.0
BATCH_LANES = 6
SINGLE_LANES = 24
AT_REST_SECONDS = 5
AT_REST_WITHIN_SECONDS = 900
MOST_SINGLES = 30_000
MOST_FAR = 100_000
INVOICED = 4_000
CHECKED = 20


@dataclass
class Bench:
    """What the rows of one size share: where files go, how many events, and which cases are used up."""

    folder: Path
    size: int
    seed: int
    measured: Measured = field(default_factory=dict[str, float])
    groups: int = 0  # begun so far; later workloads begin after them

    def workload(self, events: int, apart: int = APART) -> Workload:
        """Return the next workload of so many events, in cases of its own."""
        workload = Workload(events, _now() - SPAN, self.seed, self.groups, apart)
        self.groups += workload.groups
        return workload

    def frames(self, events: int, batch: int, apart: int = APART) -> tuple[Path, int]:
        """Encode the next events to a file; return it, and the memberships in cases that they mean."""
        path = self.folder / "frames"
        return path, write_workload(path, self.workload(events, apart), batch)


def _now() -> int:
    return time.time_ns() // 1000


def measure_spans(folder: Path, spans: int, seed: int) -> Measured:
    """Send spans to a service of their own, and find the last of them."""
    folder.mkdir()
    path = folder / "frames"
    measured: Measured = {}
    with running(folder) as service:
        door, api = service.addresses["otlp_http"], service.addresses["api"]
        write_frames(path, span_frames(spans, seed))
        cpu = _total(service.cpu())
        sent = send(Load(path, door, connections=BATCH_LANES))
        _wait_for_trace(api, last_trace(spans, seed))
        shown = time.monotonic()
        _wait_until_folded(service, sent)
        ended = time.monotonic()
        measured["spans_cpu"] = (_total(service.cpu()) - cpu) / sent.items * 1e6
        measured["spans_rate"] = sent.items / sent.seconds
        measured["spans_folded_rate"] = sent.items / (ended - sent.began)
        measured["spans_shown"] = max(shown - sent.ended, 0) * 1e3
        measured["spans_disk"] = sum(service.disk_bytes().values()) / sent.items
        write_frames(path, span_frames(spans // 4, seed + 1, gzip=True))
        sent = send(Load(path, door, connections=BATCH_LANES))
        _wait_until_folded(service, sent)
        measured["spans_gzip_rate"] = sent.items / sent.seconds
    path.unlink()
    return measured


def _wait_for_trace(api: str, trace_id: str) -> None:
    def shown() -> bool:
        found = ask(api, f"/api/v1/traces/{trace_id}")
        return bool(found) and len(found["spans"]) == SPANS_PER_TRACE

    until(shown, "the last trace")


def measure_events(folder: Path, size: int, seed: int) -> Measured:
    """Send business events to a service of their own, in every way, and return the figures."""
    folder.mkdir()
    bench = Bench(folder, size, seed)
    began = time.monotonic()
    with running(folder) as service:
        bench.measured["start_serve"] = (time.monotonic() - began) * 1e3
        with watched_memory(service) as memory:
            measure_batches(bench, service)
            _measure_steady(bench, service, "half", 0.5)
            _measure_steady(bench, service, "high", 0.8)
            _measure_far(bench, service)
            _measure_singles(bench, service)
            _measure_invoice(bench, service)
        bench.measured["memory"] = max(each.proportional for each in memory)
        bench.measured["memory_resident"] = max(each.resident for each in memory)
        bench.measured |= measure_startup(service.data)
        _measure_kill(bench, service)
    (folder / "frames").unlink()
    return bench.measured


def measure_batches(bench: Bench, service: Service) -> None:
    path, memberships = bench.frames(bench.size, BATCH)
    before = service.cpu()
    sent = send(Load(path, service.addresses["http"], connections=BATCH_LANES))
    _wait_until_folded(service, sent)
    ended = time.monotonic()
    spent = _spent(before, service.cpu(), sent.items)
    rate = sent.items / (ended - sent.began)
    bench.measured |= {
        "batches_cpu": sum(spent.values()),
        "batches_cpu_collector": spent["collector"],
        "batches_cpu_engine": spent["engine"],
        "batches_ack_rate": sent.items / sent.seconds,
        "batches_rate": rate,
        "memberships_rate": rate * memberships / sent.items,
        "disk_logs": sum(service.disk_bytes().values()) / sent.items,
        "sender_cpu": sent.cpu / sent.items * 1e6,
    }
    at_rest = _disk_at_rest(service)
    if at_rest is not None:
        bench.measured["disk"] = at_rest / sent.items


def _disk_at_rest(service: Service) -> int | None:
    """Return the bytes on disk once they stay the same: figures are made, and what large batches left is put away.

    None: they did not in time, as of very many events figures are not made so soon.
    """
    end = time.monotonic() + AT_REST_WITHIN_SECONDS
    while True:
        before = sum(service.disk_bytes().values())
        time.sleep(AT_REST_SECONDS)
        size = sum(service.disk_bytes().values())
        if size == before:
            return size
        if time.monotonic() > end:
            return None


def _measure_far(bench: Bench, service: Service) -> None:
    path, _ = bench.frames(min(bench.size, MOST_FAR), BATCH, FAR)
    before = service.cpu()
    sent = send(Load(path, service.addresses["http"], connections=BATCH_LANES))
    _wait_until_folded(service, sent)
    ended = time.monotonic()
    bench.measured["far_cpu_engine"] = _spent(before, service.cpu(), sent.items)["engine"]
    bench.measured["far_rate"] = sent.items / (ended - sent.began)


def _measure_singles(bench: Bench, service: Service) -> None:
    path, _ = bench.frames(min(max(bench.size // 10, 5_000), MOST_SINGLES), 1)
    before = service.cpu()
    sent = send(Load(path, service.addresses["http"], connections=SINGLE_LANES))
    _wait_until_folded(service, sent)
    ended = time.monotonic()
    spent = _spent(before, service.cpu(), sent.items)
    bench.measured |= {
        "singles_cpu": sum(spent.values()),
        "singles_cpu_collector": spent["collector"],
        "singles_ack_rate": sent.items / sent.seconds,
        "singles_rate": sent.items / (ended - sent.began),
    }


def _measure_steady(bench: Bench, service: Service, name: str, share: float) -> None:
    """Load it with a share of its peak, open loop; meanwhile send single events and look up records."""
    rate = bench.measured["batches_rate"] * share
    path, _ = bench.frames(int(rate * STEADY_SECONDS), BATCH)
    probes = int(PROBES_PER_SECOND * (STEADY_SECONDS - 1))
    events = [arrival.body for arrival in arrivals(bench.workload(probes))]
    load = Load(path, service.addresses["http"], connections=BATCH_LANES, rate=rate / BATCH)
    probe = Probe(
        service.addresses["http"], service.addresses["api"], PROBES_PER_SECOND, events, some_lookups(bench, probes)
    )
    with sending(load) as under_way, Probing(probe) as probing:
        sent = under_way.result()
        probed = probing.result()
    _wait_until_folded(service, sent)
    bench.measured |= _steady_figures(name, sent, probed)


def _steady_figures(name: str, sent: Sent, probed: Probed) -> Measured:
    acknowledged = sent.latencies + probed.acknowledged
    return {
        f"{name}_rate": sent.items / sent.seconds,
        f"{name}_ack_p50": percentile(acknowledged, 50) * 1e3,
        f"{name}_ack_p99": percentile(acknowledged, 99) * 1e3,
        f"{name}_visible_p50": percentile(probed.visible, 50) * 1e3,
        f"{name}_visible_p99": percentile(probed.visible, 99) * 1e3,
        f"{name}_lookup_p50": percentile(probed.looked_up, 50) * 1e3,
        f"{name}_lookup_p99": percentile(probed.looked_up, 99) * 1e3,
    }


def some_lookups(bench: Bench, count: int) -> list[tuple[str, str]]:
    """Return keys of all kinds, of time entries from all over the first workload."""
    random = Random(bench.seed)
    complete = bench.size // (GROUP * STEPS + 1) * 9 // 10  # groups that have all of their events
    numbers = (random.randrange(complete) * GROUP + random.randrange(TIME_ENTRIES) for _ in range(count))
    return [random.choice(keys_of_case(number)) for number in numbers]


def _measure_invoice(bench: Bench, service: Service) -> None:
    """Send one invoice that reaches 4,000 cases by their billing event, and wait until all of them are right."""
    door, api = service.addresses["http"], service.addresses["api"]
    path = bench.folder / "frames"
    made = one_invoice(INVOICED, f"{bench.seed}-{bench.size}", _now() - SPAN)
    write_frames(path, event_frames(made.cases, BATCH))
    _wait_until_folded(service, send(Load(path, door, connections=BATCH_LANES)))
    began = time.monotonic()
    folded(api, tell(door, made.invoice))
    bench.measured["invoice_4000"] = (time.monotonic() - began) * 1e3
    for name in made.names[:: INVOICED // CHECKED]:
        state = ask(api, f"/api/v1/cases/time-to-bill/{name}")["state"]
        if state != "done":
            raise NotMeasured(f"the invoice should have ended {name}: seen {state}, wanted done")


def _measure_kill(bench: Bench, service: Service) -> None:
    """Kill all processes at half of the peak, start again, and see how long until it accepts, and has caught up."""
    rate = bench.measured["batches_rate"] / 2
    path, _ = bench.frames(int(rate * STEADY_SECONDS), BATCH)
    event = next(arrivals(bench.workload(1))).body
    load = Load(path, service.addresses["http"], connections=BATCH_LANES, rate=rate / BATCH)
    with sending(load) as under_way:
        if under_way.ends_within(STEADY_SECONDS / 2):
            under_way.result()
            raise NotMeasured("the load ended before the service was killed")
        began = time.monotonic()
        service.kill()
    service.begin()
    position = _told(service.addresses["http"], event)
    bench.measured["killed_accepting"] = time.monotonic() - began
    until(lambda: _answers(service.addresses["api"]), "the API")
    folded(service.addresses["api"], position)
    bench.measured["killed_caught_up"] = time.monotonic() - began


def _told(http_door: str, event: bytes) -> str:
    """Send an event until it is taken; return its position."""
    positions: list[str] = []

    def taken() -> bool:
        with suppress(OSError, RuntimeError):
            positions.append(tell(http_door, event))
        return bool(positions)

    until(taken, "an event to be taken")
    return positions[0]


def _answers(api: str) -> bool:
    with suppress(OSError, RuntimeError):
        return ask(api, "/api/v1/status") is not None
    return False


def _wait_until_folded(service: Service, sent: Sent) -> None:
    for position in sent.positions:
        folded(service.addresses["api"], position)


def _spent(before: dict[str, float], after: dict[str, float], items: int) -> dict[str, float]:
    """Return the CPU in microseconds an item by part."""
    return {part: (seconds - before.get(part, 0.0)) / items * 1e6 for part, seconds in after.items()}


def _total(cpu: dict[str, float]) -> float:
    return sum(cpu.values())


def percentile(values: Sequence[float], percent: int) -> float:
    """Return the least value that so many percent of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(-(-len(ordered) * percent // 100) - 1, 0)]
