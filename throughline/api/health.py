"""Health, readiness and metrics of all parts, told at one place."""

from __future__ import annotations

import os
import time
import urllib.error
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from threading import Lock

import msgspec
from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from throughline.api.answers import json_answer
from throughline.api.collector_way import CollectorWay
from throughline.api.store_watch import StoreWatch
from throughline.core.errors import PassingError
from throughline.core.journal import JournalReader
from throughline.core.metric_names import API_GUARD_FILE_FAULTS, READY
from throughline.core.metrics import Form, Meter, Part, form_for, merge_expositions

ASK_SECONDS = 1.0
MOST_LAG_SECONDS = 60.0
_AT_ONCE = 8  # in threads that no question about cases can use up


class PartHealth(msgspec.Struct, frozen=True):
    """Whether one part does its work. ``reason``: why it does not, or what to mend although it does."""

    part: Part
    ready: bool
    reason: str | None


class HealthDocument(msgspec.Struct, frozen=True):
    """Whether all parts do their work."""

    ready: bool
    parts: list[PartHealth]


class Neighbours:
    """What the API knows of the other parts: by asking the collector, and from what the engine leaves behind."""

    def __init__(
        self,
        collector: CollectorWay,
        watch: StoreWatch,
        journal: JournalReader,
        runs: Callable[[Part], bool],
        warnings: Callable[[], list[str]] = list,
        monotonic: Callable[[], float] = time.monotonic,
        files: Callable[[Part], str | None] = lambda _: None,
        waits: Callable[[], str | None] = lambda: None,
        kpis_wait: Callable[[], str | None] = lambda: None,
        kpis: Callable[[], Future[str | None]] | None = None,
        count: Callable[[Meter], None] = lambda _: None,
    ) -> None:
        """``runs`` tells whether a part's process runs; ``warnings`` what to mend although the API does its work.

        ``files`` says why a part is short of files that it may open, None where it is not; ``waits`` why the
        engine waits, ``kpis_wait`` why the part that keeps KPIs does; ``kpis`` asks for the metrics that the latter
        left, None where it left none; ``count`` counts what is as of now.
        """
        self._collector = collector
        self._watch = watch
        self._journal = journal
        self._one_at_a_time = Lock()
        self._runs = runs
        self._warnings = warnings
        self._monotonic = monotonic
        self._files = files
        self._waits = waits
        self._kpis_wait = kpis_wait
        self._kpis = kpis
        self._count = count
        self._behind_since: tuple[int, float] | None = None

    def health(self) -> HealthDocument:
        told = (self._of_collector(), self._of_engine(), self._of_watch(), self._of_api())
        parts = [self._with_files(each) for each in told]
        return HealthDocument(all(part.ready for part in parts), parts)

    def _with_files(self, told: PartHealth) -> PartHealth:
        short = self._files(told.part)
        return told if short is None else PartHealth(told.part, False, "; ".join(filter(None, (short, told.reason))))

    def metrics(self, own: Meter, form: Form = Form.PLAIN) -> str:
        """Return the metrics of those parts that tell theirs now."""
        for each in self.health().parts:
            own.gauge(READY, of=each.part.value).set(each.ready)
        self._count(own)
        texts = {Part.API.value: own.expose(form)}
        with suppress(OSError):
            texts[Part.COLLECTOR.value] = self._collector.ask("/metrics", ASK_SECONDS, accept=form.value).decode()
        with suppress(PassingError, TimeoutError):
            left = self._watch.metrics().result(ASK_SECONDS)
            if left:
                texts[Part.ENGINE.value] = left
        with suppress(PassingError, TimeoutError):
            left = None if self._kpis is None else self._kpis().result(ASK_SECONDS)
            if left:
                texts[Part.WATCH.value] = left
        return merge_expositions(texts, form)

    def _of_collector(self) -> PartHealth:
        try:
            content = self._ask("/readyz")
        except urllib.error.HTTPError as error:
            return PartHealth(Part.COLLECTOR, False, _reason(error))
        except OSError as error:
            return PartHealth(Part.COLLECTOR, False, f"it does not answer ({error})")
        return PartHealth(Part.COLLECTOR, True, _warnings(content))

    def _of_api(self) -> PartHealth:
        return PartHealth(Part.API, True, "; ".join(self._warnings()) or None)

    def _of_watch(self) -> PartHealth:
        if not self._runs(Part.WATCH):
            return PartHealth(Part.WATCH, False, "it does not run just now: figures stand still")
        return PartHealth(Part.WATCH, True, self._kpis_wait())

    def _of_engine(self) -> PartHealth:
        if not self._runs(Part.ENGINE):
            return PartHealth(Part.ENGINE, False, "it does not run just now")
        waits = self._waits()
        if waits is not None:
            return PartHealth(Part.ENGINE, False, f"it waits: {waits}")
        try:
            stands_for = self._stands_for(self._watch.folded().result().record)
        except PassingError as error:
            return PartHealth(Part.ENGINE, False, str(error))
        if stands_for > MOST_LAG_SECONDS:
            return PartHealth(Part.ENGINE, False, f"it has not folded the next record for {stands_for:.0f} seconds")
        return PartHealth(Part.ENGINE, True, None)

    def _stands_for(self, folded: int) -> float:
        """Return for how long the engine has stood before a record that it has not folded, as far as was seen."""
        with self._one_at_a_time:
            last = self._journal.last()
        if folded >= last:
            self._behind_since = None
            return 0.0
        now = self._monotonic()
        if self._behind_since is None or self._behind_since[0] != folded:
            self._behind_since = (folded, now)
        return now - self._behind_since[1]

    def _ask(self, path: str) -> str:
        return self._collector.ask(path, ASK_SECONDS).decode()


class _Readiness(msgspec.Struct):
    """What the collector says of itself."""

    reasons: list[str] = []
    warnings: list[str] = []


def _warnings(content: str) -> str | None:
    """Return what the collector warns of although it is ready, as a sentence."""
    try:
        return "; ".join(msgspec.json.decode(content, type=_Readiness).warnings) or None
    except msgspec.DecodeError:
        return None


def _reason(error: urllib.error.HTTPError) -> str:
    """Return the reasons that the collector gives, as a sentence; its answer itself where it is another one."""
    with error:
        content = error.read()
    try:
        text = "; ".join(msgspec.json.decode(content, type=_Readiness).reasons)
    except msgspec.DecodeError:
        text = content.decode(errors="replace").strip()
    return text or f"it answers {error.code}"


def runs_by(parts: Path) -> Callable[[Part], bool]:
    """Return what tells whether a part runs, by the process ids that the supervisor writes; True where none are."""

    def runs(part: Part) -> bool:
        try:
            pids: dict[str, int] = msgspec.json.decode(parts.read_bytes())
        except (OSError, msgspec.DecodeError):
            return True
        if part.value not in pids:
            return False
        try:
            os.kill(pids[part.value], 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True

    return runs


def routes(neighbours: Neighbours, meter: Meter, guard_faults: Callable[[], int]) -> APIRouter:
    """Return the routes by which the service is watched; ``guard_faults`` counts those of its files as of now."""
    router = APIRouter(tags=["service"])
    apart = CapacityLimiter(_AT_ONCE)

    @router.get("/healthz", summary="Whether this process answers", response_class=Response)
    async def healthz() -> Response:
        return json_answer({"status": "ok"})

    schema = {"$ref": f"#/components/schemas/{HealthDocument.__name__}"}
    told = {"content": {"application/json": {"schema": schema}}}

    @router.get(
        "/readyz",
        summary="Whether all parts do their work, with reasons",
        response_class=Response,
        responses={200: {"description": "They do", **told}, 503: {"description": "They do not", **told}},
    )
    async def readyz() -> Response:
        health = await to_thread.run_sync(neighbours.health, limiter=apart)
        return json_answer(health, 200 if health.ready else 503)

    @router.get("/metrics", summary="Metrics of all parts, for Prometheus", response_class=Response)
    async def metrics(request: Request) -> Response:
        form = form_for(request.headers.get("accept", ""))
        meter.gauge(API_GUARD_FILE_FAULTS).set(guard_faults())
        content = await to_thread.run_sync(neighbours.metrics, meter, form, limiter=apart)
        return Response(content, headers={"content-type": form.value, "vary": "accept"})

    return router
