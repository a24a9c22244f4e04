"""The API's process: what the routes stand on, and the web server in front of them."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from fastapi import FastAPI

from kpis.api import DOCUMENTS as KPI_DOCUMENTS
from kpis.api import KpiDesk
from kpis.api import routes as kpi_routes
from kpis.catalogue import Catalogue
from kpis.store import kpi_place, metrics_left
from lineage.api import DOCUMENTS as LINEAGE_DOCUMENTS
from lineage.api import routes as lineage_routes
from lineage.engine import Limits
from lineage.generations import store_place
from lineage.process import Definitions
from lineage.read import CaseReader
from lineage.trace_documents import TraceReader
from throughline.api import backfill, health, quarantine, replay, statements, status, unmapped
from throughline.api.access import Access
from throughline.api.adopting import Adopting
from throughline.api.app import create_app
from throughline.api.collector_way import CollectorWay
from throughline.api.part_files import files_of_parts
from throughline.api.service_counts import ServiceCounts
from throughline.api.statements import StatementList
from throughline.api.store_watch import StoreWatch, Watch
from throughline.api.web import WebLimits, web_server
from throughline.core.address import Address
from throughline.core.clock import Clock
from throughline.core.decisions import FILE_NAME as DECISIONS_FILE
from throughline.core.decisions import DecisionLog, DecisionReader
from throughline.core.estate import Estate
from throughline.core.guards import NO_GUARDS, Guards
from throughline.core.journal import JOURNAL_FILE, JournalReader
from throughline.core.metric_names import API_FAILED_SIGN_INS, METRICS
from throughline.core.metrics import Meter, Part
from throughline.core.store_url import StoreUrl
from throughline.core.token import SignInFault
from throughline.core.waits import KPIS_WAIT_FILE, read_waits

_WARM_EVERY = 10.0  # seconds


@dataclass(frozen=True)
class Ground:
    """What the API stands on. ``parts``: the file of process ids; ``collector``: HOST:PORT of its health and orders.

    ``declared`` reads what the firm declares, as it stands now; raises ConfigurationError where that cannot be used.
    ``control``: the secret that the collector wants to be shown with an order. ``url``: the database of the store,
    where it is not in the data folder. ``free_bytes``: as set. ``warnings``: what is to be mended of
    the way this process was started.
    """

    data: Path
    declared: Callable[[], tuple[Definitions, Estate, Catalogue]]
    limits: Limits
    clock: Clock
    collector: str
    parts: Path
    web: WebLimits
    guards: Guards = NO_GUARDS
    control: str = ""
    url: StoreUrl | None = None
    free_bytes: int = 0
    warnings: tuple[str, ...] = ()


class Standing(NamedTuple):
    """What outlives a change of generations: the one log of statements, who may ask, and what was counted."""

    log: DecisionLog
    access: Access
    meter: Meter


def stand_on(ground: Ground, stack: ExitStack) -> Standing:
    """Open what stays; it is closed with ``stack``."""
    log = stack.enter_context(closing(DecisionLog(ground.data / DECISIONS_FILE, ground.clock.now)))
    meter = Meter(Part.API, METRICS)
    failed = {fault: meter.counter(API_FAILED_SIGN_INS, reason=fault.value) for fault in SignInFault}
    return Standing(log, Access(ground.guards.sign_ins, lambda fault: failed[fault].inc()), meter)


def build_app(ground: Ground, standing: Standing, stack: ExitStack) -> FastAPI:
    """Return the application over the store in force; what it opens is closed with ``stack``."""
    data, store, kpis = ground.data, store_place(ground.data, ground.url), kpi_place(ground.data, ground.url)
    definitions, estate, catalogue = ground.declared()
    log, access, meter = standing
    decisions = stack.enter_context(closing(DecisionReader(data / DECISIONS_FILE)))
    reader = stack.enter_context(closing(CaseReader(store, definitions, estate, ground.limits, ground.clock.now)))
    stack.callback(_begin_warming(reader).set)

    def journal() -> JournalReader:
        return stack.enter_context(closing(JournalReader(data / JOURNAL_FILE)))

    watch = stack.enter_context(closing(StoreWatch(store)))
    kpi_watch = stack.enter_context(closing(Watch(kpis)))
    desk = stack.enter_context(closing(KpiDesk(kpis, catalogue, estate, reader, lambda: _kpis_wait(data))))
    status_reader = status.StatusReader(reader, journal(), decisions, estate, ground.clock)
    way = CollectorWay(ground.collector, ground.control, ground.guards.chains())
    count = ServiceCounts(watch, journal(), estate.sources, ground.clock.now, data, ground.free_bytes).count
    neighbours = _neighbours(ground, way, watch, kpi_watch, journal(), count)
    return create_app(
        routers=[
            lineage_routes(reader, TraceReader(journal())),
            backfill.routes(desk),
            kpi_routes(desk),
            statements.routes(log, decisions, definitions, reader),
            quarantine.routes(journal(), reader),
            replay.routes(journal(), replay.Collector(way)),
            unmapped.routes(reader),
            status.routes(status_reader, watch),
            health.routes(neighbours, meter, ground.guards.faults),
        ],
        documents=(
            *LINEAGE_DOCUMENTS,
            *KPI_DOCUMENTS,
            StatementList,
            quarantine.QuarantineList,
            quarantine.QuarantineEntry,
            replay.ReplayDocument,
            replay.ReplayList,
            unmapped.UnmappedList,
            status.StatusDocument,
            health.HealthDocument,
        ),
        access=access,
        meter=meter,
    )


def _neighbours(
    ground: Ground,
    way: CollectorWay,
    watch: StoreWatch,
    kpi_watch: Watch,
    journal: JournalReader,
    count: Callable[[Meter], None],
) -> health.Neighbours:
    """Return what tells how the other parts are."""
    return health.Neighbours(
        way,
        watch,
        journal,
        health.runs_by(ground.parts),
        lambda: [*ground.warnings, *ground.guards.warnings()],
        files=files_of_parts(ground.parts),
        waits=lambda: read_waits(ground.data),
        kpis_wait=lambda: _kpis_wait(ground.data),
        kpis=lambda: kpi_watch.ask(metrics_left),
        count=count,
    )


def _kpis_wait(data: Path) -> str | None:
    return read_waits(data, KPIS_WAIT_FILE)


def run_api(ground: Ground, address: Address, ready: Callable[[], None]) -> None:
    """Answer queries until SIGTERM; ``ready`` is called once the door is open. Raises OSError where it can't be."""
    with ExitStack() as stack:
        standing = stand_on(ground, stack)
        app = stack.enter_context(closing(Adopting(ground.data, lambda opened: build_app(ground, standing, opened))))
        door = stack.enter_context(_listen(address))
        server = web_server(app, ground.web, ground.guards.context())
        gc.freeze()  # what is here now stays: looking through all of it held every answer up for a tenth of a second

        def drain(*_: object) -> None:
            server.should_exit = True

        signal.signal(signal.SIGTERM, drain)  # uvicorn hands the signal on to this one when it is done
        ready()
        asyncio.run(server.serve(sockets=[door]))


def _begin_warming(reader: CaseReader) -> threading.Event:
    """Read now and then what has come to tell where keys are, so that no look-up does; return what ends that."""
    stop = threading.Event()

    def keep_warm() -> None:
        reader.warm()
        while not stop.wait(_WARM_EVERY):
            reader.warm()

    threading.Thread(target=keep_warm, name="warm", daemon=True).start()
    return stop


def _listen(address: Address) -> socket.socket:
    """Open the door beside the supervisor's reservation of its port."""
    family, *_, target = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)[0]
    # asyncio turns off Nagle's algorithm for sockets of this protocol only; with it each answer takes 40 ms.
    door = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            door.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        door.bind(target)
        door.listen(1024)
    except OSError:
        door.close()
        raise
    return door
