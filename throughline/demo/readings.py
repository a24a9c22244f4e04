"""Readings: what the product says of KPIs, held against what the firm itself says of them; every difference a line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from throughline.demo.figures import Apart, Told
from throughline.demo.verify import Difference, Document

CENT = Decimal("0.01")
AGE, A_SECOND = "answer.age", Decimal(1)  # it is the difference of two times, each cut to seconds
MONEY = ("money", "given_up", "left")


def compare_readings(figures: Mapping[str, Told], readings: Mapping[str, Document]) -> list[Difference]:
    """Return where readings say otherwise than the firm; a KPI without a reading is a difference as well."""
    found: list[Difference] = []
    for name, told in figures.items():
        reading = readings.get(name)
        if reading is None:
            found.append(Difference(f"KPI {name}", "reading", "one", "none"))
        else:
            found.extend(compare_reading(name, told, reading))
    return found


def compare_apart(apart: Apart, readings: Mapping[str | None, Document]) -> list[Difference]:
    """As ``compare_readings``, by the values of a dimension; of what neither side has anything nothing must be said."""
    told = {value: figure for value, figure in apart.told.items() if figure["answer.records"] or value in readings}
    found = compare_readings(
        {_named(apart, value): figure for value, figure in told.items()},
        {_named(apart, value): reading for value, reading in readings.items()},
    )
    for value in sorted(readings.keys() - told.keys(), key=str):
        records = value_at(readings[value], "answer.records")
        if records:
            found.append(Difference(f"KPI {_named(apart, value)}", "answer.records", "none", str(records)))
    return found


def _named(apart: Apart, value: str | None) -> str:
    return f"{apart.kpi} by {apart.by} {value}"


def compare_reading(name: str, told: Told, reading: Document) -> Iterator[Difference]:
    """Yield what one reading says otherwise; of one without an answer, as there is too little, what stands beside."""
    for path, wanted in told.items():
        if path.startswith("answer.") and reading["answer"] is None and is_too_little(reading):
            continue
        seen = value_at(reading, path)
        if not is_same(wanted, seen, inexactness(reading, path, wanted)):
            yield Difference(f"KPI {name}", path, str(wanted), str(seen))


def inexactness(reading: Document, path: str, wanted: Decimal | int | None) -> Decimal:
    """Return how far off a reading says that it may be: of very many waits, their time is told by stretches."""
    if path == AGE:
        return A_SECOND
    answer = reading["answer"] if path.startswith("answer.") and path.endswith(".done") else None
    error = 0 if answer is None else answer["error"]
    return 2 * Decimal(str(error)) * (wanted or 0)


def is_too_little(reading: Document) -> bool:
    return " of at least " in (reading["why_not"] or "")


def value_at(reading: Document, path: str) -> Any:
    """Return what a reading says at a path; None where it says nothing there.

    Of a duration that is only known to be longer it says nothing; money is by currency, or the whole of it.
    """
    head, *rest = path.split(".")
    if head == "beside":
        place = reading["beside"]
        return place[rest[0]].get(rest[1], 0) if len(rest) > 1 else place[rest[0]]
    answer = reading["answer"]
    if answer is None:
        return None
    if rest[-1] == "done":
        reached = answer[rest[0]]
        return None if reached is None or reached["beyond"] else reached["seconds"]
    if rest == ["amount"]:
        return answer["money"]["amount"]
    if rest[0] in MONEY:
        return money_at(answer[rest[0]], rest[1] if len(rest) > 1 else "amount")
    found: Any = answer
    for name in rest:
        found = None if found is None else found.get(name)
    return found


def money_at(money: Document, name: str) -> Any:
    if name in ("unknown", "amount"):
        return money[name]
    return {each["currency"]: each["amount"] for each in money["by_currency"]}.get(name)


def is_same(wanted: Decimal | int | None, seen: Any, within: Decimal) -> bool:
    """Tell whether a number is the one that was wanted, to the cent."""
    if wanted is None or seen is None:
        return wanted is None and seen is None
    one, other = (Decimal(str(each)).quantize(CENT, ROUND_HALF_EVEN) for each in (wanted, seen))
    return abs(one - other) <= within
