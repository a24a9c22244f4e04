"""``estate.yaml``: the forms in which a firm describes itself. Their JSON Schema is published beside the others."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, PlainValidator, WithJsonSchema, model_validator

from throughline.core.calendar import Hours, parse_hours
from throughline.core.currency import currency_code
from throughline.core.cutoff import MonthDay, Weekday
from throughline.core.forms import Form, OneOrMore
from throughline.core.instants import DAY, HOUR, MICROSECONDS, MINUTE, parse_instant


class Role(StrEnum):
    """What a system is for; closed, so that a step, an instance and a source mean the same by it."""

    CRM = "crm"
    PSA = "psa"
    SCHEDULING = "scheduling"
    ERP = "erp"
    HCM = "hcm"
    PROCUREMENT = "procurement"
    EXPENSE = "expense"
    PAYROLL = "payroll"
    BILLING = "billing"
    FPNA = "fpna"
    BI = "bi"


class Mode(StrEnum):
    """How a source speaks: it sends by itself, or it is asked every so often and says so in heartbeats."""

    PUSH = "push"
    POLL = "poll"


class Criticality(StrEnum):
    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


_ELAPSED = re.compile(r"(\d{1,5}) ?(s|min|h|d)", re.ASCII)
_UNITS = {"s": MICROSECONDS, "min": MINUTE, "h": HOUR, "d": DAY}


def parse_elapsed(value: Any) -> int:
    """Read a plain length of time, such as ``15 min`` or ``72 h``, as microseconds; raise ValueError otherwise."""
    match = _ELAPSED.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None or int(match[1]) == 0:
        raise ValueError("a length of time, such as 30 s, 15 min, 72 h or 13 d")
    return int(match[1]) * _UNITS[match[2]]


def _zone(value: Any) -> ZoneInfo:
    try:
        return ZoneInfo(str(value))
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("a time zone of the IANA database, such as Europe/Berlin") from error


def _hours(value: Any) -> Hours:
    return parse_hours(str(value))


_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)|(24):(00)", re.ASCII)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def _clock(value: Any) -> int:
    match = _CLOCK.fullmatch(str(value))
    if match is None:
        raise ValueError('a local time, such as "17:00"')
    return int(match[1] or match[3]) * 60 + int(match[2] or match[4])


def _instant(value: Any) -> int:
    try:
        return parse_instant(str(value))
    except ValueError as error:
        raise ValueError("a time with its zone, such as 2026-03-01T00:00:00Z") from error


def _date(value: Any) -> date:
    try:
        return date.fromisoformat(value if isinstance(value, str) and _DATE.fullmatch(value) else "")
    except ValueError as error:
        raise ValueError("a date, such as 2026-12-24") from error


def _day(value: Any) -> Weekday | MonthDay | int:
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 31:
        return value
    for days in (Weekday, MonthDay):
        if value in list(days):
            return days(value)
    raise ValueError(f"a day of the week, a day of the month from 1 to 31, or one of {', '.join(MonthDay)}")


Elapsed = Annotated[
    int, PlainValidator(parse_elapsed), WithJsonSchema({"type": "string", "pattern": f"^({_ELAPSED.pattern})$"})
]
Zone = Annotated[ZoneInfo, PlainValidator(_zone), WithJsonSchema({"type": "string", "examples": ["Europe/Berlin"]})]
OpeningHours = Annotated[
    Hours, PlainValidator(_hours), WithJsonSchema({"type": "string", "pattern": r"^\d\d:\d\d ?- ?\d\d:\d\d$"})
]
Clock = Annotated[int, PlainValidator(_clock), WithJsonSchema({"type": "string", "pattern": f"^({_CLOCK.pattern})$"})]
Day = Annotated[date, PlainValidator(_date), WithJsonSchema({"type": "string", "format": "date"})]
Instant = Annotated[
    int,
    PlainValidator(_instant),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-03-01T00:00:00Z"]}),
]
CutoffDay = Annotated[
    Weekday | MonthDay | int,
    PlainValidator(_day),
    WithJsonSchema({"anyOf": [{"enum": [*Weekday, *MonthDay]}, {"type": "integer", "minimum": 1, "maximum": 31}]}),
]
Currency = Annotated[
    str, AfterValidator(currency_code), Field(json_schema_extra={"pattern": "^[A-Z]{3}$"}, description="ISO 4217")
]
Name = Annotated[str, Field(min_length=1, max_length=200)]


class Firm(Form):
    """The firm as a whole."""

    name: Name = "the firm"
    reporting_currency: Currency = "EUR"
    default_region: Name | None = Field(
        default=None, description="for records without a region, or with an unknown one"
    )
    watched_since: Instant | None = Field(
        default=None, description="from when on all events are sent; of what began before only the unfinished was told"
    )


class Region(Form):
    """Where people work alike: their zone, holidays, weekend and opening hours."""

    timezone: Zone
    country: str | None = Field(default=None, description="ISO 3166 code; its public holidays are no business days")
    subdivision: str | None = Field(default=None, description="a state or canton of the country, with its own holidays")
    holidays: tuple[Day, ...] = Field(default=(), description="further days off, such as 2026-12-24")
    weekend: tuple[Weekday, ...] = Field(default=(Weekday.SATURDAY, Weekday.SUNDAY), max_length=6)
    open: OpeningHours = Field(default=Hours(), description="local time; 09:00-17:00 unless it says otherwise")


class LegalEntity(Form):
    region: Name | None = None
    currency: Currency | None = None


class Instance(Form):
    """One installation of a system."""

    role: Role
    title: str | None = None
    legal_entities: tuple[Name, ...] = Field(default=(), description="none: all of them")


class Carry(Form):
    """What a flow carries: records that are ready with one step of a process, and have arrived with another."""

    process: Name
    from_: Name = Field(alias="from", description="the step with which a record is ready in the source")
    to: Name = Field(description="the step with which it is seen in the target")
    target: Elapsed | None = Field(default=None, description="how long that may take; by default until the step is due")


class Flow(Form):
    """One directed hop that keeps two systems in step; ``from`` and ``to`` are instances or roles."""

    from_: Name = Field(alias="from")
    to: Name
    carries: Annotated[tuple[Carry, ...], OneOrMore()] = Field(default=(), description="by what its latency is told")
    owner: Name | None = None
    criticality: Criticality = Criticality.MEDIUM
    recovery_time_objective: Elapsed | None = None
    runbook: str | None = None


class Source(Form):
    """What sends events under one ``source``, and how we know up to when we have seen everything of it."""

    source: Name
    instance: Name | None = None
    role: Role | None = Field(default=None, description="that of its instance unless it says otherwise")
    legal_entities: tuple[Name, ...] = Field(default=(), description="none: those of its instance, else all of them")
    mode: Mode = Mode.PUSH
    every: Elapsed | None = Field(default=None, description="its cadence; silent for longer, it is blind")
    remembers: Elapsed | None = Field(default=None, description="how long it can still say what it once knew")


class Every(StrEnum):
    WEEK = "week"
    MONTH = "month"


class CutoffRule(Form):
    """When a cut-off recurs. ``region`` decides on zone and business days, by default that of whom it is for."""

    every: Every
    on: CutoffDay
    minutes: Clock = Field(alias="at")
    region: Name | None = None

    @model_validator(mode="after")
    def _day_fits(self) -> CutoffRule:
        if (self.every is Every.WEEK) != isinstance(self.on, Weekday):
            raise ValueError("on: a weekday with every: week, a day of the month with every: month")
        return self


CutoffRules = Annotated[tuple[CutoffRule, ...], Field(min_length=1), OneOrMore()]


class Cutoff(Form):
    """A named cut-off: the first that fits counts, by calendar, legal entity, region, and for all others."""

    calendars: dict[Name, CutoffRules] = Field(default_factory=dict[Name, CutoffRules])
    legal_entities: dict[Name, CutoffRules] = Field(default_factory=dict[Name, CutoffRules])
    regions: dict[Name, CutoffRules] = Field(default_factory=dict[Name, CutoffRules])
    default: CutoffRules | None = None


class Rate(Form):
    """What one unit of a currency is worth in the reporting currency from a day on."""

    currency: Currency
    rate: Decimal = Field(gt=0)
    from_: Day = Field(alias="from")


class Team(Form):
    title: str | None = None
    contact: str | None = None


class EstateFile(Form):
    """A firm: everything optional; what is not declared is learnt from traffic and marked as undeclared."""

    firm: Firm = Field(default_factory=Firm)
    regions: dict[Name, Region] = Field(default_factory=dict[Name, Region])
    legal_entities: dict[Name, LegalEntity] = Field(default_factory=dict[Name, LegalEntity])
    instances: dict[Name, Instance] = Field(default_factory=dict[Name, Instance])
    flows: dict[Name, Flow] = Field(default_factory=dict[Name, Flow])
    sources: tuple[Source, ...] = ()
    cutoffs: dict[Name, Cutoff] = Field(default_factory=dict[Name, Cutoff])
    rates: tuple[Rate, ...] = ()
    teams: dict[Name, Team] = Field(default_factory=dict[Name, Team])
