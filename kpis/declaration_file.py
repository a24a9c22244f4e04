"""The form of KPI files: what may be written, before it is known whether it makes sense.

Its JSON Schema is published (kpis/schemas). Which entries a kind of formula takes, and whether steps exist, is checked
in kpis/declaration_checks.py, on every file at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from kpis.declaration import (
    Attempt,
    Dimension,
    Gauge,
    Good,
    Headline,
    Hit,
    Kind,
    KpiClock,
    Measure,
    Rounds,
    Unfinished,
    Unit,
)
from lineage.fact import DeviationKind
from lineage.process_file import (
    PROCESS,
    ConditionText,
    EventType,
    FieldName,
    KeyTypeName,
    Owner,
    StepName,
    VersionNumber,
)
from throughline.core.faults import Location
from throughline.core.forms import Form, OneOrMore, OrText

ProcessName = Annotated[str, Field(max_length=100, json_schema_extra={"pattern": PROCESS})]
Words = Annotated[tuple[str, ...], OneOrMore()]
BoundText = Annotated[str | int | float, Field(description='in the unit of the KPI: "2 bd", "15 min", "95 %", 0')]


class SpanForm(Form):
    """Where to look in a case: a wait (``from`` … ``to``), one step (``at``), or an ending (``ended_as``)."""

    process: ProcessName
    from_: StepName | None = Field(default=None, alias="from", description="the step with which the wait begins")
    from_field: FieldName | None = Field(
        default=None, description="instead of from: a fact that holds the day it begins"
    )
    to: StepName | None = Field(default=None, description="the step with which it ends")
    at: StepName | None = Field(default=None, description="the step that counts, where nothing is waited for")
    ended_as: Words = Field(default=(), description="the endings that count, such as written_off")
    where: ConditionText | None = None


class SideForm(Form):
    """One side of a ratio, a variance or a balance."""

    process: ProcessName
    at: StepName | None = None
    measure: Measure = Measure.RECORDS
    field: FieldName | None = Field(default=None, description="a fact that holds the value, instead of a measure")
    touches: bool = Field(default=False, description="count the events that say that a person acted")
    distinct: KeyTypeName | None = Field(default=None, description="count the different keys of this type")
    capacity: bool = Field(default=False, description="the hours that people could work")
    not_applicable: bool = Field(default=False, description="count cases as well to which their process does not apply")
    where: ConditionText | None = None


class InTimeForm(Form):
    """What in time means: at most one."""

    due: Literal["due"] | None = Field(default=None, description="by the due time of the step")
    within: str | None = Field(default=None, description="so long after the beginning: 2 bd, 15 min")
    cutoff: str | None = Field(default=None, description="by the first such cut-off after the beginning")


class FormulaForm(Form):
    """The arithmetic; which entries it takes depends on its kind."""

    stand_ins: ClassVar[Mapping[Location, Any]] = {}

    kind: Kind
    of: Annotated[tuple[SpanForm, ...], OneOrMore()] = ()
    per: Literal["flow"] | None = Field(default=None, description="instead of of: each hop of each flow")
    rounds: Rounds = Rounds.EACH
    measure: Measure | None = None
    hit: Hit | None = None
    in_time: Annotated[InTimeForm, OrText(lambda text: {"due": text}, {"const": "due"})] | None = None
    ended_as: Words = ()
    deviations: Annotated[tuple[DeviationKind, ...], OneOrMore()] = ()
    steps: Annotated[tuple[StepName, ...], OneOrMore()] = ()
    processes: Annotated[tuple[ProcessName, ...], OneOrMore()] = Field(default=(), description="none: all of them")
    attempts: Attempt | None = None
    categories: Words = Field(default=(), description="categories of errors; none: all of them")
    numerator: Annotated[tuple[SideForm, ...], OneOrMore()] = ()
    denominator: Annotated[tuple[SideForm, ...], OneOrMore()] = ()
    match: Annotated[tuple[FieldName, ...], OneOrMore()] = Field(
        default=(), description="the facts or keys by which both sides name the same thing"
    )
    older_than: str | None = Field(default=None, description="only waits of at least this age: 10 bd, 90 d")
    horizon: str | None = Field(default=None, description="the forecast as it stood so long before: 30 d")
    closed_by: Annotated[tuple[EventType, ...], OneOrMore()] = ()
    gauge: Gauge | None = None
    lacks: str | None = Field(default=None, max_length=500, description="what there is no source of yet")


class KpiFile(Form):
    """A KPI: a question, and how it is answered."""

    stand_ins: ClassVar[Mapping[Location, Any]] = {
        ("kpi",): "unnamed",
        ("title",): "untitled",
        ("group",): "ungrouped",
        ("question",): "unasked",
        ("version",): "unnumbered",
        ("owner",): "nobody",
        ("source",): "unsaid",
        ("unit",): "records",
        ("good",): "low",
        ("formula",): {"kind": "none", "lacks": "a formula"},
        ("formula", "kind"): "none",
    }

    kpi: str = Field(max_length=100, json_schema_extra={"pattern": PROCESS})
    version: VersionNumber = Field(description="another one makes another series of readings")
    title: str = Field(min_length=1, max_length=200)
    group: str = Field(min_length=1, max_length=100)
    question: str = Field(min_length=1, max_length=500)
    unit: Unit
    clock: KpiClock = KpiClock.ELAPSED
    formula: FormulaForm
    population: ConditionText | None = Field(default=None, description="which cases count; without an answer, they do")
    dimensions: tuple[Dimension, ...] = ()
    good: Good
    headline: Headline | None = Field(default=None, description="which quantile of a lag the levels speak of")
    target: BoundText | None = None
    warning: BoundText | None = None
    minimum_sample: int | None = Field(default=None, ge=1, le=1_000_000, description="with fewer there is no answer")
    unfinished: Unfinished | None = None
    owner: Owner
    source: str = Field(min_length=1, max_length=500, description="where the formula is from")
