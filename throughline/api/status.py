"""Status: how far the journal and the statements are folded, what there is, and what is seen of the sources."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from importlib.metadata import version
from threading import Lock
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from lineage.census import (
    Census,
    FlowDocument,
    InstanceDocument,
    ServiceDocument,
    SourceDocument,
    census,
    flows,
    instances,
    services,
    sources,
)
from lineage.engine import JOURNAL, STATEMENTS
from lineage.read import CaseReader
from throughline.api.answers import json_answer
from throughline.api.store_watch import StoreWatch
from throughline.core.clock import Clock
from throughline.core.decisions import DecisionReader
from throughline.core.errors import StoreUnavailable
from throughline.core.estate import Estate
from throughline.core.instants import format_instant
from throughline.core.journal import JournalReader, position_text

LONGEST_WAIT_SECONDS = 60.0
_LOOK_EVERY_SECONDS = 0.01  # all who wait look at the same moments, and so get one answer
_LOOK_LATER_SECONDS = 0.05  # who has waited for a while
_A_WHILE_SECONDS = 1.0
_POSITION = re.compile(r"[js]\d{1,18}", re.ASCII)
_WAIT = re.compile(r"(\d{1,6}(?:\.\d{1,6})?)(ms|s|m)?", re.ASCII)
_WAIT_SCHEMA = {"type": "string", "examples": ["10s", "500ms"]}
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, None: 1.0}


class StatusDocument(msgspec.Struct, frozen=True):
    """Where the service stands. ``received`` and ``stated``: the last record and statement that are durable.

    ``folded`` and ``folded_statement``: those whose effect is in all cases, unless ``deferred`` cases are still to be
    derived. ``reached``: whether the position asked for is folded, deferred cases included; null where none was asked.
    """

    version: str
    now: str
    clock: dict[str, str | int | float]
    received: str
    folded: str
    stated: str
    folded_statement: str
    reached: bool | None
    deferred: int
    counts: Census
    sources: list[SourceDocument]
    instances: list[InstanceDocument]
    flows: list[FlowDocument]
    services: list[ServiceDocument]


def _position(text: str) -> str:
    if not _POSITION.fullmatch(text):
        raise ValueError(f"seen {text[:64]!r}, wanted a position as an answer to a sender gives it, such as j17")
    return text


def _wait(text: object) -> object:
    found = _WAIT.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError(f"seen {str(text)[:64]!r}, wanted a time such as 10s or 500ms")
    return float(found[1]) * _SECONDS[found[2]]


class StatusAsked(BaseModel):
    """Which position to wait for, and how long."""

    model_config = ConfigDict(extra="forbid")

    folded: Annotated[str, AfterValidator(_position)] | None = None
    wait: Annotated[
        float,
        BeforeValidator(_wait),
        Field(le=LONGEST_WAIT_SECONDS, default_factory=float),
        WithJsonSchema(_WAIT_SCHEMA),
    ]


async def wait_for(reached: Callable[[], Awaitable[bool]], seconds: float) -> bool:
    """Look again and again, after a while more slowly, until it is reached or the time is over; return whether it is.

    The first look is waited for; a later one that takes longer than is left counts as none.
    """
    began = time.monotonic()
    if await reached():
        return True
    with suppress(TimeoutError):
        async with asyncio.timeout(began + seconds - time.monotonic()):
            while True:
                await asyncio.sleep(until_next_look(began, time.monotonic()))
                if await reached():
                    return True
    return False


def until_next_look(began: float, now: float) -> float:
    """Return the seconds from ``now`` until who waits since ``began`` looks again: at moments that are all the same."""
    pause = _LOOK_EVERY_SECONDS if now - began < _A_WHILE_SECONDS else _LOOK_LATER_SECONDS
    return pause - now % pause


async def is_folded(watch: StoreWatch, position: str) -> bool:
    """Tell whether a position is folded, with all cases that it reaches; it is not where no store answers."""
    try:
        folded = await asyncio.shield(asyncio.wrap_future(watch.folded()))  # others may wait for the same answer
    except StoreUnavailable:
        return False
    at = folded.record if position[0] == "j" else folded.statement
    return folded.settled and at >= int(position[1:])


class StatusReader:
    """Puts the status together."""

    def __init__(
        self, reader: CaseReader, journal: JournalReader, decisions: DecisionReader, estate: Estate, clock: Clock
    ) -> None:
        self._reader = reader
        self._journal = journal
        self._one_at_a_time = Lock()
        self._decisions = decisions
        self._estate = estate
        self._clock = clock
        self._version = version("throughline")

    def document(self, reached: bool | None) -> StatusDocument:
        with self._one_at_a_time:
            received = self._journal.last()
        with self._reader.snapshot() as snapshot:
            positions = snapshot.store.positions()
            return StatusDocument(
                version=self._version,
                now=format_instant(snapshot.now),
                clock=self._clock.describe(),
                received=position_text(received),
                folded=position_text(positions.get(JOURNAL, 0)),
                stated=f"s{self._decisions.last_number()}",
                folded_statement=f"s{positions.get(STATEMENTS, 0)}",
                reached=reached,
                deferred=snapshot.store.one("SELECT count(*) FROM stale") or 0,
                counts=census(snapshot),
                sources=sources(snapshot, self._estate),
                instances=instances(snapshot, self._estate.instances),
                flows=flows(snapshot, self._estate.flows),
                services=services(snapshot),
            )


def routes(status: StatusReader, watch: StoreWatch) -> APIRouter:
    """Return the route of the status."""
    router = APIRouter(tags=["service"])

    @router.get(
        "/api/v1/status",
        summary="How far everything is folded, and what there is",
        response_class=Response,
        responses={200: _schema()},
    )
    async def get_status(asked: Annotated[StatusAsked, Query()]) -> Response:
        """With `folded`, answers once that position is folded, or when `wait` is over; `reached` says which."""
        reached = None
        if asked.folded is not None:
            wanted = asked.folded
            reached = await wait_for(lambda: is_folded(watch, wanted), asked.wait)
        return json_answer(await run_in_threadpool(status.document, reached))

    return router


def _schema() -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{StatusDocument.__name__}"}
    return {"description": "The status", "content": {"application/json": {"schema": schema}}}
