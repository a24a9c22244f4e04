"""The public document of one KPI: what it is, beside its reading of now."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from kpis.declaration import Declaration, Side
from kpis.documents import LatestDocument
from kpis.hops import hops_of
from kpis.wording import define
from lineage.process import Definitions
from throughline.core.estate import Estate


class StepsDocument(msgspec.Struct, frozen=True):
    """Where a KPI looks in the cases of a process: ``from`` one step ``to`` another, ``at`` one, or at endings.

    ``from_field``: the wait begins with the day in this fact. ``flow``: whose hop it is. ``side``: of what compares two
    sides, numerator or denominator. ``where``: its own condition, as written.
    """

    process: str
    from_: str | None = msgspec.field(name="from", default=None)
    from_field: str | None = None
    to: str | None = None
    at: str | None = None
    ended_as: tuple[str, ...] = ()
    flow: str | None = None
    side: str | None = None
    where: str | None = None


class DefinitionDocument(msgspec.Struct, frozen=True):
    """What a KPI is, in words that are made of its declaration. Conditions are CEL, as written.

    ``numerator`` null: there is no source yet; ``denominator`` null: nothing is divided. ``condition``: which cases
    count; null: all of them. ``minimum_sample`` null: it answers of any number. ``steps``: where it looks; none: at
    every step.
    """

    formula: str
    population: str
    condition: str | None
    numerator: str | None
    denominator: str | None
    unfinished: str
    minimum_sample: int | None
    steps: list[StepsDocument]


class DefinedDocument(LatestDocument, frozen=True, kw_only=True):
    """A KPI with what it is and its reading of now."""

    definition: DefinitionDocument


def defined(latest: LatestDocument, definition: DefinitionDocument) -> DefinedDocument:
    """Return a KPI and its reading with what it is."""
    return DefinedDocument(latest.kpi, latest.at, latest.reading, latest.compared, definition=definition)


def definition_document(declaration: Declaration, definitions: Definitions, estate: Estate) -> DefinitionDocument:
    """Return what a KPI is, with the hops of flows that there are."""
    told, population = define(declaration), declaration.population
    return DefinitionDocument(
        formula=told.formula,
        population=told.population,
        condition=None if population is None else population.source,
        numerator=told.numerator,
        denominator=told.denominator,
        unfinished=told.unfinished,
        minimum_sample=declaration.least_sample,
        steps=list(dict.fromkeys(_steps(declaration, definitions, estate))),
    )


def _steps(declaration: Declaration, definitions: Definitions, estate: Estate) -> Iterator[StepsDocument]:
    formula = declaration.formula
    for each in formula.of:
        where = None if each.where is None else each.where.source
        yield StepsDocument(
            each.process, each.from_step, each.from_field, each.to_step, each.at, each.ended_as, where=where
        )
    for side in formula.numerator:
        yield _of_side(side, "numerator")
    for side in formula.denominator:
        yield _of_side(side, "denominator")
    for name, process in sorted(definitions.processes.items()) if formula.per_flow else ():
        for version in process.versions if name in formula.processes or not formula.processes else ():
            for hop in hops_of(name, version, estate):
                yield StepsDocument(name, hop.from_step, to=hop.to_step, flow=hop.flow)
    for name in formula.processes if not formula.per_flow else ():
        for step in formula.steps or (None,):
            yield StepsDocument(name, at=step)


def _of_side(side: Side, name: str) -> StepsDocument:
    where = None if side.where is None else side.where.source
    return StepsDocument(side.process, at=side.at, side=name, where=where)
