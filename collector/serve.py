"""The collector as one process: journal, doors, and what ends them."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import structlog

try:
    import uvloop
except ImportError:  # not on Windows
    uvloop = None

from collector.admission import Admission
from collector.control import ControlDoor
from collector.counts import Counts, new_counts
from collector.grpc_door import OtlpService, grpc_options, start_grpc
from collector.http_doors import Bodies, EventsDoor, JsonDoor, OtlpHttpDoor, Webhooks
from collector.http_server import HttpServer
from collector.http_types import Application, InHand, Limits
from collector.intake import Intake
from collector.journal import Journal
from collector.journal_file import Boundary, go_on
from collector.lanes import Lanes
from collector.reading import Door
from collector.replay import Replayer
from collector.room import Room
from collector.signatures import Signatures, read_secrets
from throughline.core.address import Address
from throughline.core.clock import Clock
from throughline.core.guards import Guards, open_guards
from throughline.core.journal import JOURNAL_FILE, mapping_text
from throughline.core.mappings.folder import load_mappings
from throughline.core.metrics import Form
from throughline.core.open_files import connections_within, narrowed, raise_limit
from throughline.core.settings import Settings

DRAIN_SECONDS: Final = 10.0
SWITCH_SECONDS: Final = 0.0005  # how long the writer may wait for the interpreter after an fsync; Python's 5 ms is long
DOORS: Final = ("http", "otlp_http", "otlp_grpc")
_FEWEST_PLACES: Final = 4
_SHARES: Final = 5  # times its connections: each HTTP door has as many again that it refuses, gRPC none

_log = structlog.get_logger(__name__)


def new_loop() -> asyncio.AbstractEventLoop:
    """Return the event loop to run a collector on: uvloop's, where the system has it."""
    return uvloop.new_event_loop() if uvloop is not None else asyncio.new_event_loop()


async def run_collector(
    settings: Settings,
    clock: Clock,
    announce: Callable[[Mapping[str, str]], None],
    addresses: Mapping[str, Address] | None = None,
    stop: asyncio.Event | None = None,
    at: Callable[[Boundary], None] = go_on,
    control: str = "",
) -> None:
    """Take requests until ``stop`` (without one: until SIGTERM or SIGINT), then answer those under way and close.

    ``announce`` is given HOST:PORT by door (http, otlp_http, otlp_grpc) once all are open. ``addresses`` are used in
    place of those of the settings. ``control`` is the secret of those who may give orders; empty: nobody may. Raises
    OSError where an address can't be had, JournalFormatUnknown for a journal of another version, ConfigurationError for
    tokens, a certificate or mappings that can't be used, and any fault of ours that ended the journal's writer.
    """
    addresses = addresses or {door: getattr(settings, door) for door in DOORS}
    stop = stop or _stop_on_signals()
    sys.setswitchinterval(SWITCH_SECONDS)
    files = raise_limit()
    connections = connections_within(files, settings.connections, _SHARES)
    narrow = narrowed(files, settings.connections, connections)
    mappings = load_mappings(settings.definitions)
    signatures = Signatures(read_secrets(mappings, os.environ))
    counts = new_counts()
    path = settings.data / JOURNAL_FILE
    async with AsyncExitStack() as stack:
        guards = stack.enter_context(open_guards(settings))
        journal = Journal(path, settings.queue_bytes, counts.journal, at, mapping_text(mappings.version))
        stack.push_async_callback(journal.close)
        await journal.open()
        room = Room(path, settings.free_bytes, settings.unfolded_hours * 3_600)
        stack.callback(room.close)
        stack.push_async_callback(_ended, asyncio.create_task(room.watch()))
        intake = Intake(journal, clock, counts, settings.nesting, mappings, room)
        stack.callback(intake.close)
        replayer = Replayer(path, intake, journal, clock, counts.replayed)
        stack.callback(replayer.close)
        in_front = partial(ControlDoor, replayer=replayer, secret=control)
        admission = Admission(guards.sign_ins, counts, control)
        webhooks = Webhooks(mappings, signatures, admission)
        told = Told(partial(_reasons, journal, room), lambda: [*narrow, *guards.warnings()])
        opened = await _open_doors(
            stack,
            settings,
            connections,
            addresses,
            intake,
            journal,
            counts,
            path,
            admission,
            webhooks,
            guards,
            in_front,
            told,
        )
        gc.freeze()  # what is here now stays: the collector of cycles need not look at it again and again
        announce({door: str(address) for door, address in opened.items()})
        await _until(stop, journal)
        _log.info("draining")


class Told(NamedTuple):
    """What readiness tells: why the doors take nothing, and what to mend although they do."""

    reasons: Callable[[], list[str]]
    warnings: Callable[[], list[str]]


async def _open_doors(
    stack: AsyncExitStack,
    settings: Settings,
    connections: int,
    addresses: Mapping[str, Address],
    intake: Intake,
    journal: Journal,
    counts: Counts,
    path: Path,
    admission: Admission,
    webhooks: Webhooks,
    guards: Guards,
    in_front: Callable[[Application], Application],
    told: Told,
) -> dict[str, Address]:
    in_hand = InHand(settings.queue_bytes)
    bodies = Bodies(settings.inflated_bytes, in_hand)
    limits = Limits(settings.header_bytes, settings.body_bytes, connections, settings.request_seconds)
    events_counts, otlp_counts = counts.door(Door.CLOUDEVENTS), counts.door(Door.OTLP_HTTP)
    expose = partial(_expose, counts, journal, in_hand, path, guards)
    json = JsonDoor(intake, webhooks, bodies, counts.door(Door.JSON))
    events = EventsDoor(intake, admission, bodies, events_counts, told.reasons, told.warnings, expose, json)
    otlp = OtlpHttpDoor(intake, admission, bodies, otlp_counts)
    opened: dict[str, Address] = {}
    applications: dict[str, tuple[Application, Callable[[int], None]]] = {
        "http": (in_front(events), events_counts.connections.set),
        "otlp_http": (otlp, otlp_counts.connections.set),
    }
    for door, (application, count) in applications.items():
        server = HttpServer(application, limits, in_hand, count)
        stack.push_async_callback(server.close, DRAIN_SECONDS)
        host = addresses[door].host
        opened[door] = Address(host, await server.listen(host, addresses[door].port, guards.context()))
    lanes = Lanes(max(_FEWEST_PLACES, 2 * settings.queue_bytes // settings.inflated_bytes), settings.request_seconds)
    service = OtlpService(intake, admission, in_hand, counts.door(Door.OTLP_GRPC), lanes, settings.header_bytes)
    options = grpc_options(settings.inflated_bytes, settings.header_bytes, settings.request_seconds, connections)
    grpc_server, port = await start_grpc(service, str(addresses["otlp_grpc"]), options, guards.shown())
    stack.push_async_callback(grpc_server.stop, DRAIN_SECONDS)
    opened["otlp_grpc"] = Address(addresses["otlp_grpc"].host, port)
    return opened


def _stop_on_signals() -> asyncio.Event:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


async def _until(stop: asyncio.Event, journal: Journal) -> None:
    stopped = asyncio.ensure_future(stop.wait())
    await asyncio.wait([stopped, journal.ended], return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if journal.ended.done():
        journal.ended.result()


def _reasons(journal: Journal, room: Room) -> list[str]:
    state = journal.state()
    return [*([] if state.open else [f"the journal can't be written: {state.reason}"]), *room.reasons()]


async def _ended(task: asyncio.Task[None]) -> None:
    """End a task that runs for ever."""
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def _expose(counts: Counts, journal: Journal, in_hand: InHand, path: Path, guards: Guards, form: Form) -> str:
    size = 0
    with contextlib.suppress(OSError):
        size = path.stat().st_size
    return counts.expose(journal.waiting(), in_hand.bytes, size, guards.faults(), form)
