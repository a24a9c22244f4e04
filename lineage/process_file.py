"""The forms of process files and of ``keys.yaml``: what may be written, before it is known whether it makes sense.

Their JSON Schemas are published (lineage/schemas). Whether names, types and conditions fit together is checked in
lineage/definition_checks.py, on every file at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from lineage.process import Every, StepKind, WaitsFor
from throughline.core.estate_file import Role
from throughline.core.faults import Location
from throughline.core.forms import Form, OneOrMore, OrText

EVENT_TYPE = r"^[A-Za-z0-9][A-Za-z0-9_:/-]*(\.[A-Za-z0-9_:/-]+)+$"
FIELD = r"^[A-Za-z_][A-Za-z0-9_]*$"
PROCESS = r"^[a-z0-9]+(-[a-z0-9]+)*$"
STEP = r"^[a-z][a-z0-9_]*$"
DURATION = r"^[0-9]{1,3} ?(h|bd|elapsed_h)$"
# A date without a time, or an RFC 3339 time with zone.
INSTANT = r"^\d{4}-\d{2}-\d{2}([Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2}))?$"


# Patterns are for editors only: the check itself needs the other files, or says it better.
EventType = Annotated[str, Field(max_length=200, json_schema_extra={"pattern": EVENT_TYPE})]
KeyTypeName = Annotated[str, Field(max_length=100, json_schema_extra={"pattern": FIELD})]
FieldName = Annotated[str, Field(max_length=100, json_schema_extra={"pattern": FIELD})]
StepName = Annotated[str, Field(max_length=100, json_schema_extra={"pattern": STEP})]
DurationText = Annotated[str, Field(json_schema_extra={"pattern": DURATION})]
InstantText = Annotated[str, Field(json_schema_extra={"pattern": INSTANT})]
ConditionText = Annotated[str, Field(max_length=10_000, description="CEL over the map `facts`")]
Owner = Annotated[str, Field(min_length=1, max_length=200)]


class _NumberAsText:
    """Annotates a text that may be written as a whole number."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(_number_as_text, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"anyOf": [handler(schema), {"type": "integer"}]}


def _number_as_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


VersionNumber = Annotated[str, Field(min_length=1, max_length=50), _NumberAsText()]


class DueForm(Form):
    """When something is due: at most one of the three."""

    within: DurationText | None = Field(
        default=None, description="after the latest required step before it: 4 h, 3 bd, 72 elapsed_h"
    )
    by_field: FieldName | None = Field(default=None, description="by the time or date in a field of the case")
    by_cutoff: str | None = Field(default=None, description="by a cut-off that estate.yaml declares")


class StepForm(DueForm):
    """One milestone of a process."""

    step: StepName = Field(description="its name, a past participle: approved")
    kind: StepKind = StepKind.STANDARD
    types: Annotated[tuple[EventType, ...], Field(min_length=1)] = Field(
        description="the event types that report it, all meaning the same"
    )
    system: Annotated[tuple[Role, ...], OneOrMore()] = Field(
        default=(), description="the role that reports it; with several, each must; by default that of the step before"
    )
    waits_for: WaitsFor = WaitsFor.SYSTEM
    complete_when: Literal["amount_covers"] | None = Field(
        default=None, description="done once the amounts seen cover the amount of the case"
    )
    optional: bool = False
    owner: Owner | None = Field(default=None, description="the team that answers for it; by default the process's")


class NewRoundForm(DueForm):
    """What opens the next round, and when its initial step is due then."""

    after: tuple[EventType, ...] = Field(default=(), description="types that do: a rejection")
    each: Literal["each"] | None = Field(default=None, description="each initial step does")
    waits_for: WaitsFor = WaitsFor.PERSON


class EndingForm(Form):
    """A type that ends a case other than by a terminal step."""

    type: EventType
    as_: str | None = Field(
        default=None, alias="as", description="what the case ended as; by default the type's past participle"
    )
    end: Literal["from", "to"] | None = Field(
        default=None, description="ends only the case at this end of a stated pair of names"
    )


class CheckForm(Form):
    """A condition that must not be false; where the facts do not allow an answer it is not violated."""

    check: StepName
    that: ConditionText
    message: str = Field(min_length=1, max_length=500, description="what to tell whoever must resolve it")
    step: StepName | None = Field(default=None, description="checked once this step is seen; by default always")


class ExpectForm(Form):
    """What should recur once a step was seen: an event in every period."""

    expect: StepName = Field(description="its name; no step has the same")
    types: Annotated[tuple[EventType, ...], Field(min_length=1)] = Field(
        description="the event types that meet it, all meaning the same"
    )
    system: Annotated[tuple[Role, ...], OneOrMore()] = Field(
        default=(), description="the role that reports it; by default that of the step `after`"
    )
    every: Every = Field(description="the periods, in the local days of the case's region; weeks begin on Monday")
    after: StepName = Field(description="the step from which on it is expected")
    per: KeyTypeName | None = Field(
        default=None, description="a carrier or relation: expected of each value on events of that step"
    )
    from_field: FieldName | None = Field(default=None, description="the first day; by default that of the step")
    until_field: FieldName | None = Field(default=None, description="the last day; by default there is none")
    period_field: FieldName | None = Field(
        default=None, description="a day of the period that an event is for; by default the day of its own time"
    )
    ended_by: tuple[EventType, ...] = Field(default=(), description="types after whose day nothing more is expected")
    waits_for: WaitsFor = WaitsFor.SYSTEM
    within: DurationText | None = Field(default=None, description="due so long after the period's end: 2 bd")
    owner: Owner | None = Field(default=None, description="the team that answers for it; by default the process's")


NewRound = Annotated[NewRoundForm, OrText(lambda text: {"each": text}, {"const": "each"})]
Ending = Annotated[EndingForm, OrText(lambda text: {"type": text}, {"type": "string", "pattern": EVENT_TYPE})]


class Course(Form):
    """What one version of a process says of the course of its cases."""

    owner: Owner | None = None
    applies_when: ConditionText | None = Field(
        default=None, description="which cases the process is for; without an answer, it is"
    )
    steps: Annotated[tuple[StepForm, ...], Field(min_length=1)] = ()
    new_round: NewRound | None = Field(
        default=None, description="what opens the next round: types, or `each` initial step"
    )
    ended_by: tuple[Ending, ...] = ()
    checks: tuple[CheckForm, ...] = ()
    expects: tuple[ExpectForm, ...] = ()


class VersionForm(Course):
    """One version; a case uses the one in force at its earliest event."""

    version: VersionNumber
    effective_from: InstantText | None = Field(
        default=None, description="a date (its first instant in UTC) or a time; every version but the first has one"
    )


class FollowForm(Form):
    """A process whose work this one goes on with: sums count money that both hold up in this one."""

    process: str = Field(max_length=100, json_schema_extra={"pattern": PROCESS})
    by: KeyTypeName = Field(description="a name, alias or carrier of both: cases that have it alike are one work")


class KeysForm(Form):
    """The roles of the key types in the process. They have no versions."""

    name: KeyTypeName
    aliases: tuple[KeyTypeName, ...] = ()
    carriers: tuple[KeyTypeName, ...] = Field(default=(), description="most specific first")
    relations: tuple[KeyTypeName, ...] = ()
    unique: dict[KeyTypeName, tuple[FieldName, ...]] = Field(
        default_factory=dict[str, tuple[str, ...]],
        description="carriers and relations of which a case holds one value within these scope fields",
    )


_STEP_STAND_INS = {"step": "unnamed", "types": ["unknown.seen"]}


class ProcessFile(Course):
    """A process: its keys, and its steps as one version or as several."""

    stand_ins: ClassVar[Mapping[Location, Any]] = {
        ("process",): "unnamed",
        ("title",): "untitled",
        ("keys",): {"name": "unnamed"},
        ("keys", "name"): "unnamed",
        **{("steps", "*", entry): value for entry, value in _STEP_STAND_INS.items()},
        **{("versions", "*", "steps", "*", entry): value for entry, value in _STEP_STAND_INS.items()},
        ("versions", "*", "version"): "unnumbered",
    }

    process: str = Field(max_length=100, json_schema_extra={"pattern": PROCESS})
    title: str = Field(min_length=1, max_length=200)
    keys: KeysForm
    passes: tuple[tuple[KeyTypeName, KeyTypeName], ...] = Field(
        default=(), description="pairs of carriers: where the first hands its cases on to the second"
    )
    links: tuple[EventType, ...] = Field(default=(), description="types that only draw links")
    follows: Annotated[tuple[FollowForm, ...], OneOrMore()] = Field(
        default=(), description="the processes whose work this one goes on with, so that money counts once"
    )
    versions: tuple[VersionForm, ...] = Field(
        default=(), description="instead of steps and the like at the top, once the process has changed"
    )


class KeyTypeForm(Form):
    """How values of one key type are read. An entry of the firm's replaces the pack's as a whole."""

    scope: tuple[FieldName, ...] = Field(
        default=(), description="fields that say who issued the number; without them there is no key"
    )
    normalise: Annotated[tuple[Literal["upper", "lower", "strip_leading_zeros"], ...], OneOrMore()] = ()
    strip_prefix: str = Field(default="", max_length=50)
    placeholders: tuple[str, ...] | None = Field(
        default=None, description="values that mean nothing, in place of the usual ones (n/a, unknown, 0, …)"
    )


class KeysFile(Form):
    """All key types that processes use."""

    keys: dict[KeyTypeName, KeyTypeForm]
