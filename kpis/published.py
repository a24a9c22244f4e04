"""Pages of published figures: all of a KPI that were told once, and those of them that others took the place of."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from kpis.ask import Every
from kpis.documents import ToldAsDocument, told_as_document
from kpis.store import KpiReader, PublishedRow
from kpis.terms import told_as_of
from throughline.core.business_time import BusinessTime
from throughline.core.cursor import read_cursor, write_cursor
from throughline.core.instants import format_instant
from throughline.core.problem import Problem, ProblemKind

Limit = Annotated[int, Field(ge=1, le=1_000)]
Cursor = Annotated[str | None, Field(description="The `next` of the page before.")]


class PublishedDocument(msgspec.Struct, frozen=True):
    """A figure of a day, or of the month that begins on ``day`` (``every``), as it was published, which never changes.

    ``value``: null is no answer; ``at_least``: greater than that. ``told_as``: in what it is told; null: an earlier
    release published it, under a declaration that is not known any more. ``as_of``: what was known then, where it is
    read so; null: at ``published``. ``records``: how many cases it is of. ``replaced``: when another one took its
    place; null: it stands.
    """

    every: Every
    day: str
    value: str | None
    at_least: bool
    told_as: ToldAsDocument | None
    version: str
    published: str
    as_of: str | None
    records: int
    why: str
    replaced: str | None


class PublishedList(msgspec.Struct, frozen=True):
    """A page of published figures, oldest publication first."""

    kpi: str
    published: list[PublishedDocument]
    next: str | None


class RestatementDocument(msgspec.Struct, frozen=True):
    """A published figure that another one has taken the place of. ``every``: day, or the month that begins on ``day``.

    ``was`` and ``now``: null is no answer; ``at_least``: greater than that. ``was_told_as`` and ``told_as``: in what
    each is told; null: it was published by an earlier release, under a declaration that is not known any more.
    """

    every: Every
    day: str
    was: str | None
    was_at_least: bool
    was_told_as: ToldAsDocument | None
    was_version: str
    was_published: str
    now: str | None
    now_at_least: bool
    told_as: ToldAsDocument | None
    version: str
    at: str
    why: str


class RestatementList(msgspec.Struct, frozen=True):
    """A page of restatements, oldest first."""

    kpi: str
    restatements: list[RestatementDocument]
    next: str | None


class RestatementsAsked(BaseModel):
    """How many restatements, from where on."""

    model_config = ConfigDict(extra="forbid")

    limit: Limit = 100
    cursor: Cursor = None


class PublishedAsked(BaseModel):
    """Which published figures, how many, from where on."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    every: Every | None = Field(None, description="Only figures of days, or only those of months.")
    first: date | None = Field(None, alias="from", description="Of this day and later ones; a month has its first day.")
    last: date | None = Field(None, alias="to", description="Of days up to this one, included.")
    standing: bool = Field(False, description="Only those that no other has taken the place of.")
    limit: Limit = 100
    cursor: Cursor = None


def published_page(kpi: str, store: KpiReader, asked: PublishedAsked, calendars: BusinessTime) -> PublishedList:
    """Return published figures of a KPI; raises Problem where days are given the wrong way round."""
    if asked.first is not None and asked.last is not None and asked.first > asked.last:
        raise Problem(ProblemKind.INVALID, f"from: seen {asked.first} with to={asked.last}, wanted no later than to")
    if asked.every is Every.WEEK:
        raise Problem(ProblemKind.INVALID, "every: seen week, wanted day or month: no others are published")
    days = _ordinal(asked.first), _ordinal(asked.last)
    rows = store.published_of(kpi, _after(asked.cursor), asked.limit + 1, asked.every, days, asked.standing)
    page = rows[: asked.limit]
    more = write_cursor((page[-1][0].id,)) if len(rows) > asked.limit else None
    return PublishedList(kpi, [_published(row, replaced, calendars) for row, replaced in page], more)


def restated_page(kpi: str, store: KpiReader, asked: RestatementsAsked, calendars: BusinessTime) -> RestatementList:
    """Return published figures of a KPI that others took the place of, each with that one."""
    rows = store.restated(kpi, _after(asked.cursor), asked.limit + 1)
    page = rows[: asked.limit]
    more = write_cursor((page[-1][1].id,)) if len(rows) > asked.limit else None
    return RestatementList(kpi, [_restatement(*each, calendars) for each in page], more)


def _after(cursor: str | None) -> int:
    return read_cursor(cursor, tuple[int])[0] if cursor else 0


def _ordinal(day: date | None) -> int | None:
    return None if day is None else day.toordinal()


def _published(row: PublishedRow, replaced: int | None, calendars: BusinessTime) -> PublishedDocument:
    return PublishedDocument(
        every=Every(row.every),
        day=date.fromordinal(row.day).isoformat(),
        value=row.value,
        at_least=row.at_least,
        told_as=_told_as(row, calendars),
        version=row.version,
        published=format_instant(row.at),
        as_of=None if row.as_of is None else format_instant(row.as_of),
        records=row.records,
        why=row.why,
        replaced=None if replaced is None else format_instant(replaced),
    )


def _restatement(former: PublishedRow, now: PublishedRow, calendars: BusinessTime) -> RestatementDocument:
    return RestatementDocument(
        every=Every(now.every),
        day=date.fromordinal(now.day).isoformat(),
        was=former.value,
        was_at_least=former.at_least,
        was_told_as=_told_as(former, calendars),
        was_version=former.version,
        was_published=format_instant(former.at),
        now=now.value,
        now_at_least=now.at_least,
        told_as=_told_as(now, calendars),
        version=now.version,
        at=format_instant(now.at),
        why=now.why,
    )


def _told_as(published: PublishedRow, calendars: BusinessTime) -> ToldAsDocument | None:
    told = told_as_of(published)
    return None if told is None else told_as_document(told, calendars)
