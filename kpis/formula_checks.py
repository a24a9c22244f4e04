"""What is wrong with a formula whose every entry is well-formed: it asks for what can never be."""

from __future__ import annotations

from collections.abc import Iterator

from kpis.declaration import Hit, Rounds
from kpis.declaration_file import FormulaForm, KpiFile, SpanForm
from kpis.waits import BEGUN_AGAIN, REJECTED
from lineage.process import Definitions, Process
from throughline.core.errors import Fault
from throughline.core.faults import Location, show
from throughline.core.forms import Examined, nearest


def ending_faults(examined: Examined[KpiFile], formula: FormulaForm, definitions: Definitions) -> Iterator[Fault]:
    """Yield the words by which nothing that is looked at can end."""
    for n, span in enumerate(formula.of):
        process = definitions.processes.get(span.process)
        if process is not None:
            here = ("formula", "of", n, "ended_as")
            yield from _unknown_endings(examined, here, span.ended_as, _endings(process), span.process)
    if formula.hit is Hit.ENDED_AS:
        yield from _hit_faults(examined, formula, definitions)


def closing_faults(examined: Examined[KpiFile], formula: FormulaForm, definitions: Definitions) -> Iterator[Fault]:
    """Yield the types of ``closed_by`` that no case that is looked at can have."""
    names = [each.process for each in (*formula.numerator, *formula.denominator, *formula.of)]
    processes = [definitions.processes[name] for name in names if name in definitions.processes]
    known = frozenset[str]().union(*(process.types for process in processes))
    for n, event_type in enumerate(formula.closed_by):
        if event_type not in known and len(processes) == len(names):
            whose = " or ".join(dict.fromkeys(names))
            wanted = f"an event type of {whose}: {nearest(event_type, known)}"
            yield examined.fault(("formula", "closed_by", n), show(event_type), wanted)


def _hit_faults(examined: Examined[KpiFile], formula: FormulaForm, definitions: Definitions) -> Iterator[Fault]:
    processes = definitions.processes
    waits = [(each.process, each) for each in formula.of] or [(name, None) for name in processes]
    if all(name in processes for name, _ in waits):
        known = frozenset[str]().union(*(_wait_endings(processes[name], span, formula) for name, span in waits))
        whose = " or ".join(dict.fromkeys(name for name, _ in waits)) if formula.of else "a process"
        yield from _unknown_endings(examined, ("formula", "ended_as"), formula.ended_as, known, whose)


def _unknown_endings(
    examined: Examined[KpiFile], here: Location, words: tuple[str, ...], known: frozenset[str], whose: str
) -> Iterator[Fault]:
    for n, word in enumerate(words):
        if word not in known:
            yield examined.fault((*here, n), show(word), f"an ending of {whose}: {nearest(word, known)}")


def _endings(process: Process) -> frozenset[str]:
    """Return all that cases of a process can end as: by an event that ends them, or by a terminal error."""
    ended = {ending.ended_as for version in process.versions for ending in version.ended_by}
    failed = {version.steps[index].name for version in process.versions for index in version.terminal_errors}
    return frozenset(ended | failed)


def _wait_endings(process: Process, span: SpanForm | None, formula: FormulaForm) -> frozenset[str]:
    """Return all that waits in cases of a process can end as; where each round is one, it may end before its case."""
    whole = formula.rounds is Rounds.WHOLE or (span is not None and span.from_field is not None)
    rejects = any(version.new_round.after for version in process.versions) and not whole
    begins_again = any(version.new_round.each for version in process.versions) and not whole
    words = ((REJECTED, rejects), (BEGUN_AGAIN, begins_again))
    return _endings(process) | {word for word, so in words if so}
