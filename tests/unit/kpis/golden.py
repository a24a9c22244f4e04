"""Golden cases of KPIs: a small table of events, and the figure that was worked out by hand.

A file of tests/cases/kpis says ``kpi``, ``why`` (the reasoning), ``events`` (one a line: local date and time, type,
name of the case, further ``entry=value``; ``successor`` is the other name of a stated pair), ``now`` and ``expected``;
``zone`` of its times, ``estate`` where the firm declares something, ``with`` where something of the declaration is
changed (a minimum sample of 1 unless it says otherwise), ``scope`` where not all days count; ``process`` where the KPI
names none, ``declared`` where it is none of the shipped. ``spans`` of traces that events name (``trace=NAME``) are a
table as well: local date, time of its beginning and of its end, kind, trace, ``flow=NAME`` where it names one, and
``under=N`` where its parent is the span of the Nth line.
"""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from kpis.catalogue import load_catalogue
from kpis.declaration import Declaration, Dimension
from kpis.latency import Parts, Stretch, Traced
from kpis.money import Converted
from kpis.reading import Answer, Balance, Lag, Newest, Pace, Ratio, Reading, Share, Stock, Total, Variance
from kpis.scratch import Answers, Scope, SpansOf, read_from_scratch
from kpis.survival import Reached
from lineage.acceptance import Acceptances
from lineage.definitions import load_definitions
from lineage.derive import Context
from lineage.engine import Engine, Limits
from lineage.read import Snapshot, Stated
from lineage.sight import Heard, Reporting, SourceSight
from tests.unit.lineage.adapter import settle, tick
from throughline.core.estate import Estate, read_estate
from throughline.core.event import Event, Failure, Relation, content_digest
from throughline.core.instants import MINUTE, format_instant, from_datetime
from throughline.core.journal import SpanFact, SpanKind
from throughline.core.yaml_file import YamlDocument, load_yaml

FOLDER = Path(__file__).parents[2] / "cases" / "kpis"
DEFINITIONS = load_definitions(None)
CATALOGUE = load_catalogue(None, DEFINITIONS)
# Parts of events that are no entries of their data.
HANDS_OVER = (SpanKind.CLIENT, SpanKind.PRODUCER)
_PARTS = ("amount", "currency", "hours", "system", "instance")


class Golden(NamedTuple):
    """One golden case; ``expected`` holds what is compared of each reading, by the values of its dimensions."""

    declaration: Declaration
    estate: Estate
    events: list[Event]
    now: int
    scope: Scope
    options: dict[str, Any]
    expected: dict[str, Any]
    spans: list[SpanFact]


def golden(path: Path) -> Golden:
    """Read a golden case."""
    content = load_yaml(path).content
    zone = content.get("zone", "UTC")
    estate = read_estate(YamlDocument(f"{path.name}: estate", content.get("estate", {}), {}, {}))
    declaration = own(content["declared"]) if "declared" in content else CATALOGUE.kpis[content["kpi"]]
    formula = declaration.formula
    process = content.get("process") or next((each.process for each in (*formula.of, *formula.numerator)), None)
    name_key = DEFINITIONS.processes[process or "time-to-bill"].name_key
    scope = content.get("scope", {})
    options = {name: scope[name] for name in ("maturity",) if name in scope}
    return Golden(
        dataclasses.replace(declaration, **content.get("with", {"minimum_sample": 1})),
        estate,
        [event(number, line, name_key, zone) for number, line in enumerate(content["events"].splitlines())],
        instant(content["now"], zone),
        Scope(
            *(None if scope.get(end) is None else date.fromisoformat(scope[end]) for end in ("first", "last")),
            tuple(Dimension(name) for name in scope.get("by", ())),
        ),
        options,
        content["expected"],
        [span(number, line, zone) for number, line in enumerate(content.get("spans", "").splitlines(), 1)],
    )


CUTOFFS = "cutoffs: {billing: {default: {every: week, on: friday, at: '18:00'}}}"


def own(text: str) -> Declaration:
    """Return a KPI that is not shipped, as a firm would declare it that has a billing cut-off."""
    with TemporaryDirectory() as folder:
        (Path(folder) / "estate.yaml").write_text(
            "cutoffs: {billing: {default: {every: week, on: friday, at: '18:00'}}}"
        )
        (Path(folder) / "own.yaml").write_text(text)
        (name,) = load_catalogue(Path(folder), DEFINITIONS).kpis.keys() - CATALOGUE.kpis.keys()
        return load_catalogue(Path(folder), DEFINITIONS).kpis[name]


def instant(text: str, zone: str) -> int:
    return from_datetime(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)))


def event(number: int, line: str, name_key: str, zone: str) -> Event:
    """Read an event of a table: it was received a minute after it happened, unless ``received`` says when."""
    day, clock, kind, name, *further = shlex.split(line)
    told = dict(part.split("=", 1) for part in further)
    at = instant(f"{day} {clock}", told.pop("zone", zone))
    received = told.pop("received", None)
    failed = told.pop("failed", None)
    parts = {part: told.pop(part, None) for part in _PARTS}
    trace = told.pop("trace", None)
    successor = told.pop("successor", None)
    named = name != "-" and successor is None
    draft = Event(
        source=told.pop("source", f"/{parts['system'] or 'psa'}"),
        id=told.pop("id", str(number)),
        type=kind,
        time=at,
        received=at + MINUTE if received is None else instant(received, zone),
        digest=b"",
        failed=failed is not None,
        synthetic=told.pop("synthetic", "false") == "true",
        fields={**told, **({name_key: name} if named else {})},
        relations=[] if successor is None else [Relation(name_key, name, name_key, successor)],
        error=None if failed is None else Failure(failed),
        trace_id=None if trace is None else trace_id(trace).hex(),
        **parts,
    )
    return msgspec.structs.replace(draft, digest=content_digest(draft))


def trace_id(name: str) -> bytes:
    return blake2b(name.encode(), digest_size=16).digest()


def span(number: int, line: str, zone: str) -> SpanFact:
    """Read a span of a table."""
    day, start, end, kind, trace, *further = shlex.split(line)
    told = dict(part.split("=", 1) for part in further)
    return SpanFact(
        trace_id(trace),
        number.to_bytes(8, "big"),
        instant(f"{day} {start}", zone),
        instant(f"{day} {end}", zone),
        False,
        kind,
        "of a test",
        SpanKind[kind.upper()],
        flow=told.get("flow"),
        parent_id=None if "under" not in told else int(told["under"]).to_bytes(8, "big"),
    )


def traced(spans: Iterable[SpanFact]) -> SpansOf:
    """Return what gives the spans of traces, as if all of them were kept."""
    by_trace: dict[str, list[Stretch]] = {}
    known = list(spans)
    handing_over = {(each.trace_id, each.span_id): each.start for each in known if each.kind in HANDS_OVER}
    for each in known:
        since = handing_over.get((each.trace_id, each.parent_id or b""))
        stretch = Stretch(each.start, each.end, each.kind not in HANDS_OVER, each.flow, since)
        by_trace.setdefault(each.trace_id.hex(), []).append(stretch)
    told = {name: Traced(tuple(some)) for name, some in by_trace.items()}
    return lambda _, facts: {fact.trace_id: told.get(fact.trace_id, Traced()) for fact in facts if fact.trace_id}


def answers(case: Golden, batches: Iterable[Sequence[Event]]) -> Answers:
    """Return the readings of a case whose events arrive in some batches."""
    engine = Engine.open(":memory:", DEFINITIONS, case.estate, Limits())
    try:
        for batch in batches:
            engine.fold(list(batch), case.now)
        settle(engine, case.now)
        tick(engine, case.now)
        heard = {source: Heard(*marks) for source, marks in engine.store.watermarks().items()}
        sight = SourceSight(Reporting(case.estate), heard, case.now)
        context = Context(case.now, sight, case.estate.calendars)
        snapshot = Snapshot(engine.store, DEFINITIONS, Stated([], Acceptances({})), context, Limits())
        spans_of = traced(case.spans)
        return read_from_scratch(snapshot, case.declaration, case.estate, case.scope, spans_of=spans_of, **case.options)
    finally:
        engine.close()


def shown(answers: Answers) -> dict[str, Any]:
    """Return readings as golden cases write them."""
    found: dict[str, Any] = {
        ", ".join(value or "–" for value in values): show_reading(reading)
        for values, reading in answers.readings.items()
    }
    whole = found.pop("", {}) if len(found) == 1 and "" in found else {}
    return whole | found | {"left_out": {reason.value: count for reason, count in answers.left_out.items()}}


def show_reading(reading: Reading) -> dict[str, Any]:
    beside: dict[str, Any] = {name: value for name, value in reading.beside._asdict().items() if value}
    beside["known_to"] = None if reading.known_to is None else format_instant(reading.known_to)
    if reading.answer is None:
        return {"no_answer": reading.why_not, **beside}
    return {**show_answer(reading.answer), **beside}


def show_answer(answer: Answer) -> dict[str, Any]:
    match answer:
        case Lag():
            return {
                **{name.value: show_reached(reached) for name, reached in answer.quantiles.items()},
                "by_value": {name.value: show_reached(reached) for name, reached in answer.by_value.items()},
                "without_value": answer.without_value,
                "split": None if answer.parts is None else show_parts(answer.parts),
            }
        case Share():
            return {
                "share": round(answer.share, 4),
                "hits": answer.hits,
                "of": answer.of,
                "pending": round(answer.pending, 4),
                "by_value": None if answer.by_value is None else round(answer.by_value, 4),
                "without_value": answer.without_value,
                "interval": [round(end, 4) for end in answer.interval],
                "budget": None if answer.budget is None else str(answer.budget),
                "at_least": answer.at_least,
            }
        case Stock():
            amount = answer.amount
            return {
                "records": answer.records,
                "amount": None if amount.amount is None else str(amount.amount),
                "amount_unknown": amount.unknown,
                "by_currency": {currency: str(part.amount) for currency, part in sorted(answer.sums.parts.items())},
                "hours": None if answer.hours is None else str(answer.hours),
                "hours_unknown": answer.hours_unknown,
                "median_age": None if answer.median_age is None else answer.median_age.seconds,
                "at_least": answer.at_least,
            }
        case Total():
            return {
                "records": answer.records,
                "amount": None if answer.amount.amount is None else str(answer.amount.amount),
                "amount_unknown": answer.amount.unknown,
                "hours": None if answer.hours is None else str(answer.hours),
            }
        case Pace():
            return {"records": answer.records, "per_hour": round(answer.per_hour, 4)}
        case Newest():
            return {"age": answer.age}
        case Ratio():
            sides = {"numerator": str(answer.numerator), "denominator": str(answer.denominator)}
            return {"ratio": round(answer.ratio, 4), **sides}
        case Variance():
            return {
                "accuracy": round(answer.accuracy, 4),
                "difference": str(answer.difference),
                "forecast": str(answer.forecast),
                "actual": str(answer.actual),
                "matched": answer.matched,
            }
        case Balance():
            return {
                "amount": show_amount(answer.amount),
                "amount_unknown": answer.amount.unknown,
                "given_up": show_amount(answer.given_up),
                "left": show_amount(answer.left),
                "by_currency": {currency: str(part.amount) for currency, part in sorted(answer.sums.parts.items())},
            }


def show_parts(parts: Parts) -> dict[str, Any]:
    return {
        "latencies": parts.split,
        "not": dict(parts.unsplit),
        **{
            name.value: {"median": part.median, "p90": part.p90, "mean": part.mean, "share": part.share}
            for name, part in parts.parts.items()
        },
    }


def show_amount(amount: Converted) -> str | None:
    return None if amount.amount is None else str(amount.amount)


def show_reached(reached: Reached | None) -> str | float | None:
    return reached if reached is None else f"> {reached.age:g}" if reached.beyond else reached.age


def differences(expected: Any, found: Any, at: str = "") -> list[str]:
    """Return where what was found is not as expected; what is not expected is not compared."""
    if isinstance(expected, dict) and isinstance(found, dict):
        return [each for name in expected for each in differences(expected[name], found.get(name), f"{at}.{name}")]
    return [] if expected == found else [f"{at[1:]}: {found!r}, worked out by hand as {expected!r}"]
