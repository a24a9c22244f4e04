"""What mappings cost a door: ``python -m bench.mappings``.

Batches of CloudEvents are decoded as a door does, best of several runs: events that need no mapping, beside none, one
and a hundred of them, and events that one of them maps. A span request shows the same for spans.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import msgspec

from bench.spans import BATCH as SPANS
from bench.spans import CONTENT_TYPE, span_frames
from collector.canonical import NESTING
from collector.cloudevents import BATCH, read_cloudevents
from collector.mapped import NO_MAPPINGS
from collector.otlp import read_traces
from throughline.core.instants import parse_instant
from throughline.core.mappings.folder import Mappings, read_mapping
from throughline.core.yaml_file import parse_yaml

MANY = 100
RUNS = 7
RECEIVED = parse_instant("2026-11-30T00:00:00Z")
MAPPING = """mapping: erp-{number}
input: {input}
types: erp.kind_{number}
{when}
event:
  type: invoice.issued
  system: erp
  {time}
  amount: {{path: input.data.header.totalCents, as: minor_units, digits: 2}}
  currency: input.data.header.currencyCode
  fields:
    invoice: input.data.header.invoiceId
    time_entry: input.data.lines[*].timesheetNumber
"""


def mappings(count: int, input: str = "cloudevent", when: str = "") -> Mappings:
    """Return so many mappings, each for a type of its own."""
    made = Mappings()
    read = []
    for number in range(count):
        text = MAPPING.format(number=number, input=input, when=when, time="time: input.end" if input == "span" else "")
        mapping, faults = read_mapping(parse_yaml(text.encode(), "bench.yaml"))
        assert mapping is not None, faults
        read.append(mapping)
    return Mappings(read) if read else made


def batch(size: int, kind: str) -> bytes:
    """Return a batch of events; those of a canonical type have no nested data."""
    nested = {
        "header": {"invoiceId": "INV-33", "totalCents": 112500, "currencyCode": "EUR"},
        "lines": [{"timesheetNumber": "TE-88"}, {"timesheetNumber": "TE-89"}],
    }
    flat = {"time_entry": "TE-88", "project": "PRJ-9", "amount": "1125.00", "currency": "EUR", "hours": "7.5"}
    return msgspec.json.encode(
        [
            {
                "specversion": "1.0",
                "id": f"e-{number}",
                "source": "/erp",
                "type": kind,
                "time": "2026-11-02T16:04:11Z",
                "data": flat if kind == "time.approved" else nested,
            }
            for number in range(size)
        ]
    )


def best(run: Callable[[], object], items: int) -> float:
    """Return the microseconds of CPU that one item took in the best of several runs."""
    taken: list[float] = []
    for _ in range(RUNS):
        began = time.process_time()
        run()
        taken.append(time.process_time() - began)
    return min(taken) / items * 1_000_000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.mappings", description=__doc__)
    parser.add_argument("--events", type=int, default=10_000, metavar="N", help="in one batch")
    size: int = parser.parse_args().events
    condition = "when: input.data.header.totalCents > 0"
    some = (("none", NO_MAPPINGS), ("one", mappings(1)), ("a hundred", mappings(MANY)))
    print("CPU an item, in microseconds")
    for name, known in some:
        print(f"  event that needs none, beside {name:<11} {event_cost('time.approved', size, known):6.2f}")
    for name, known in (*some[1:], ("a hundred, with a condition", mappings(MANY, when=condition))):
        print(f"  event that is mapped, of {name:<28} {event_cost('erp.kind_0', size, known):6.2f}")
    for name, known in (("none", NO_MAPPINGS), ("a hundred", mappings(MANY, "span"))):
        print(f"  span that needs none, beside {name:<11} {span_cost(known):6.2f}")


def event_cost(kind: str, size: int, known: Mappings) -> float:
    """Return what an event of a type costs."""
    body = batch(size, kind)
    return best(lambda: read_cloudevents(BATCH, {}, body, RECEIVED, NESTING, known), size)


def span_cost(known: Mappings) -> float:
    """Return what a span costs that no mapping is for."""
    (_, request), *_ = span_frames(SPANS, 1)
    body = request.partition(b"\r\n\r\n")[2]
    return best(lambda: read_traces(CONTENT_TYPE, body, RECEIVED, NESTING, known), SPANS)


if __name__ == "__main__":
    main()
