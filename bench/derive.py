"""What deriving one case costs: time-to-bill cases of realistic stories, median of many, in microseconds.

Run ``python -m bench.derive``. Business time is plain arithmetic and conditions are plain Python here, so that only
derivation itself is measured.
"""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from time import perf_counter_ns

from lineage.derive import Context, derive, summary
from lineage.document import case_document, encode_document
from lineage.fact import Derived, Fact, Member, Via, Watermark
from lineage.process import Check, Deadline, Ending, NewRound, Process, Step, StepKind, Version, WaitsFor
from throughline.core.calendar import Duration, Unit
from throughline.core.instants import DAY, HOUR
from throughline.core.key import Key, KeyType

ROUNDS = 2_000
NAME = Key("time_entry", "TE-88").encode()


class PlainCalendars:
    def add(self, start: int, duration: Duration, region: str | None) -> int:
        return start + duration.count * (DAY if duration.unit is Unit.BUSINESS_DAYS else HOUR)

    def cutoff(
        self, name: str, start: int, calendar: str | None, legal_entity: str | None, region: str | None
    ) -> int | None:
        return start - start % (7 * DAY) + 7 * DAY

    def field_due(self, value: object, region: str | None) -> int | None:
        return None


class AllHeard:
    def watermark(self, roles: tuple[str, ...], legal_entity: str | None) -> Watermark:
        return Watermark(100 * DAY, "/erp", None, True)


@dataclass(frozen=True)
class Billable:
    source: str = "facts.billable"

    def holds(self, facts: Mapping[str, object]) -> bool | None:
        return facts.get("billable") is True


def _step(name: str, system: str, deadline: Deadline | None, kind: StepKind = StepKind.STANDARD) -> Step:
    return Step(name, kind, frozenset({name}), (system,), WaitsFor.SYSTEM, deadline)


PROCESS = Process(
    "time-to-bill",
    "Time to bill",
    "time_entry",
    ("erp_document",),
    ("billing_event", "invoice", "batch", "correlation_id"),
    ("project",),
    (
        Version(
            "1",
            None,
            (
                _step("time.submitted", "psa", None, StepKind.INITIAL),
                _step("time.approved", "psa", Deadline(within=Duration(3, Unit.BUSINESS_DAYS))),
                _step("time.posted", "erp", Deadline(within=Duration(4, Unit.HOURS))),
                _step("billing.released", "erp", Deadline(by_cutoff="billing")),
                _step("invoice.issued", "erp", Deadline(within=Duration(5, Unit.BUSINESS_DAYS)), StepKind.TERMINAL),
                _step("invoice.paid", "erp", None),
                _step("invoice.disputed", "erp", None, StepKind.ERROR),
            ),
            "finance-ops",
            Billable(),
            NewRound(frozenset({"time.rejected"}), deadline=Deadline(within=Duration(3, Unit.BUSINESS_DAYS))),
            (Ending("time.cancelled", "cancelled"),),
            (Check("rate", "above the rate card", Billable()),),
        ),
    ),
)
FIELDS = {"region": "EMEA", "legal_entity": "DE01", "practice": "cloud", "billable": True, "rate": 150.0}


def _member(number: int, kind: str, time: int, via: Via = Via.NAME, **more: object) -> Member:
    values: dict[str, object] = {"amount": "1125.00", "currency": "EUR", "hours": "7.5", "fields": FIELDS, **more}
    return Member(Fact(number, "/psa/emea", f"e{number}", kind, time, time + 1, system="psa", **values), via)  # type: ignore[arg-type]


def _story(*kinds: tuple[str, float]) -> list[Member]:
    carried = ("billing.released", "invoice.issued", "invoice.paid")
    return [
        _member(i, kind, int(hour * HOUR), Via.CARRIER if kind in carried else Via.NAME)
        for i, (kind, hour) in enumerate(kinds, 1)
    ]


_POSTED = (("time.submitted", 1), ("time.approved", 3), ("time.posted", 5), ("document.registered", 5.5))
STORIES: dict[str, tuple[list[Member], int]] = {
    "two events, waiting": (_story(*_POSTED[:2]), 4 * HOUR),
    "four events, waiting for the cut-off": (_story(*_POSTED), 6 * HOUR),
    "four events, overdue": (_story(*_POSTED), 99 * DAY),
    "seven events, done": (
        _story(*_POSTED, ("billing.released", 20), ("invoice.issued", 30), ("invoice.paid", 99)),
        999 * HOUR,
    ),
    "eight events, rejected once": (
        _story(
            ("time.submitted", 1),
            ("time.approved", 2),
            ("time.rejected", 3),
            ("time.submitted", 4),
            ("time.approved", 5),
            ("time.posted", 6),
            ("document.registered", 6.5),
            ("billing.released", 20),
        ),
        40 * HOUR,
    ),
}


def _median_us(call: Callable[[], object]) -> float:
    times: list[int] = []
    for _ in range(ROUNDS):
        before = perf_counter_ns()
        call()
        times.append(perf_counter_ns() - before)
    return median(times) / 1000


def main() -> None:
    """Print a table, or with ``--json`` the same figures as JSON."""
    gc.disable()
    figures: dict[str, dict[str, float]] = {}
    for title, (members, now) in STORIES.items():
        context = Context(now, AllHeard(), PlainCalendars())

        def whole(members: list[Member] = members, context: Context = context) -> Derived:
            return derive(PROCESS, members, None, context, name=NAME)

        def short(members: list[Member] = members, context: Context = context) -> Derived:
            return summary(PROCESS, members, None, context, name=NAME)

        def shown(members: list[Member] = members, derived: Derived = whole()) -> bytes:  # noqa: B008
            keys = {"name": [Key.decode(NAME)]}
            types = {"time_entry": KeyType("time_entry")}
            return encode_document(case_document(PROCESS, Key.decode(NAME), derived, members, keys, types))

        figures[title] = {"summary": _median_us(short), "derive": _median_us(whole), "document": _median_us(shown)}
    if "--json" in sys.argv:
        print(json.dumps(figures, indent=2))
        return
    print(f"{'median of ' + str(ROUNDS) + ', µs':40} {'summary':>9} {'derive':>9} {'document':>9}")
    for title, row in figures.items():
        print(f"{title:40} {row['summary']:9.1f} {row['derive']:9.1f} {row['document']:9.1f}")


if __name__ == "__main__":
    main()
