"""Comparing the truth with what the product reconstructed: case by case, every difference a line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any, NamedTuple, cast

from throughline.core.instants import format_instant, parse_instant
from throughline.demo.truth import CaseTruth, DeviationTruth, StepTruth, Turn

Document = dict[str, Any]
"""A case document, as the product's API gives it."""


class Difference(NamedTuple):
    """One thing that is not as it happened. ``case`` names it, ``truth`` and ``seen`` are for a person to read."""

    case: str
    what: str
    truth: str
    seen: str

    def __str__(self) -> str:
        return f"{self.case}: {self.what}: truth {self.truth}, seen {self.seen}"


Identity = tuple[str, str, tuple[tuple[str, str], ...]]


def identity_of(truth: CaseTruth) -> Identity:
    return truth.process, truth.name, tuple(sorted(truth.scope.items()))


def identity_of_document(document: Document) -> Identity:
    return document["process"], document["name"], tuple(sorted(document["scope"].items()))


def compare(truths: Iterable[CaseTruth], documents: Iterable[Document]) -> list[Difference]:
    """Return every difference, cases that are only on one side among them, in a stable order."""
    seen = {identity_of_document(document): document for document in documents}
    found: list[Difference] = []
    for truth in truths:
        document = seen.pop(identity_of(truth), None)
        if document is None:
            found.append(Difference(label(truth), "case", truth.state, "nothing"))
        else:
            found.extend(compare_case(truth, document))
    for document in seen.values():
        if is_nameless(document):
            continue
        name = f"{document['process']} {document['name']}"
        found.append(Difference(name, "case", "no such thing happened", document["state"]))
    return sorted(found)


def is_nameless(document: Document) -> bool:
    """Tell whether a case is a mere number of another process's work: searchable, in no sum, and nothing is wrong.

    The ERP numbers the documents of time and of expenses alike; each process knows the other's numbers that way.
    """
    return document["state"] == "provisional" and not document["deviations"] and document["exposure"] == {}


def label(truth: CaseTruth) -> str:
    scope = "".join(f" of {value}" for value in truth.scope.values())
    stories = f" ({'; '.join(dict.fromkeys(truth.stories))})" if truth.stories else ""
    return f"{truth.process} {truth.name}{scope}{stories}"


def compare_case(truth: CaseTruth, document: Document) -> Iterator[Difference]:
    """Yield what one document says otherwise than it happened."""
    case = label(truth)

    def differ(what: str, wanted: object, found: object) -> Iterator[Difference]:
        if wanted != found:
            yield Difference(case, what, words(wanted), words(found))

    yield from differ("state", truth.state, document["state"])
    yield from differ("ended as", truth.ended_as, document["ended_as"])
    yield from differ("deviations", truth.deviations, deviations_of(document))
    yield from differ("exposure", exposure(truth), exposure_of(document))
    yield from differ("counted in", truth.counted_in, counted_in(document))
    yield from differ("turn", truth.turn, turn_of(document))
    missing = set(truth.keys.items()) - keys_of(document)
    yield from differ("keys", set[tuple[str, str]](), missing)
    if truth.rounds:
        yield from differ("rounds", truth.rounds, len(document["rounds"]))
        yield from differ("steps", truth.steps, steps_of(document, truth))


def words(value: object) -> str:
    """Write a value for a person: times readable, sets in order."""
    if isinstance(value, frozenset | set):
        return "[" + ", ".join(sorted(words(each) for each in cast("set[object]", value))) + "]"
    if isinstance(value, StepTruth):
        times = " to ".join(format_instant(time) for time in (value.first, value.last) if time is not None)
        return f"{value.step} #{value.round} {value.status} {times}".strip()
    if isinstance(value, DeviationTruth):
        of_round = "" if value.round is None else f" #{value.round}"
        return f"{'open' if value.open else 'closed'} {value.kind} {value.step or ''}{of_round}".strip()
    if isinstance(value, Turn):
        due = "none" if value.due is None else format_instant(value.due)
        return f"{value.step} #{value.round} by {value.waits_for} due {due}"
    return "nothing" if value is None else str(value)


def deviations_of(document: Document) -> frozenset[DeviationTruth]:
    return frozenset(
        DeviationTruth(each["kind"], each["step"], each["round"], each["open"]) for each in document["deviations"]
    )


def exposure(truth: CaseTruth) -> tuple[Decimal, str] | str | None:
    held = truth.exposure
    return (Decimal(held[0]), held[1]) if isinstance(held, tuple) else held


def exposure_of(document: Document) -> tuple[Decimal, str] | str | None:
    """Return amount and currency held up; None where nothing is, the word unknown where they are not known."""
    held = document["exposure"]
    if held == {}:
        return None
    if held is None or held.get("amount") is None:
        return "unknown"
    return Decimal(held["amount"]), held["currency"]


def counted_in(document: Document) -> frozenset[tuple[str, str]]:
    """Return the processes and names of the cases downstream in which sums count what a case holds up."""
    return frozenset((each["process"], each["name"]) for each in document["counted_in"])


def turn_of(document: Document) -> Turn | None:
    waits = document["waits_for"]
    return None if waits is None else Turn(waits["step"], waits["round"], waits["who"], instant_of(waits["due"]))


def keys_of(document: Document) -> set[tuple[str, str]]:
    return {(key["type"], key["value"]) for of_role in document["keys"].values() for key in of_role}


QUIET = {"waiting"}


def steps_of(document: Document, truth: CaseTruth) -> frozenset[StepTruth]:
    """Return the steps of a document; of those that only wait, the ones that the truth speaks of."""
    spoken = {(step.round, step.step) for step in truth.steps}
    return frozenset(
        StepTruth(each["round"], step["step"], step["status"], instant_of(step["first"]), instant_of(step["last"]))
        for each in document["rounds"]
        for step in each["steps"]
        if step["status"] not in QUIET or (each["round"], step["step"]) in spoken
    )


def instant_of(text: str | None) -> int | None:
    return None if text is None else parse_instant(text)


class Tally(NamedTuple):
    """What one side says in sum: states and open deviations by process, and money held up by currency, counted once."""

    states: Counter[tuple[str, str]]
    deviations: Counter[tuple[str, str]]
    money: dict[str, Decimal]


def tally_truth(truths: Iterable[CaseTruth]) -> Tally:
    tally = Tally(Counter(), Counter(), {})
    for truth in truths:
        kinds = {each.kind for each in truth.deviations if each.open}
        _count(tally, truth.process, truth.state, kinds, None if truth.counted_in else exposure(truth))
    return tally


def tally_documents(documents: Iterable[Document]) -> Tally:
    tally = Tally(Counter(), Counter(), {})
    for document in documents:
        kinds = {each["kind"] for each in document["deviations"] if each["open"]}
        if not is_nameless(document):
            held = None if document["counted_in"] else exposure_of(document)
            _count(tally, document["process"], document["state"], kinds, held)
    return tally


def _count(tally: Tally, process: str, state: str, kinds: set[str], held: tuple[Decimal, str] | str | None) -> None:
    tally.states[process, state] += 1
    tally.deviations.update((process, kind) for kind in kinds)
    if isinstance(held, tuple):
        tally.money[held[1]] = tally.money.get(held[1], Decimal(0)) + held[0]
