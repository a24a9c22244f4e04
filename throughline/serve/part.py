"""One part of a running serve, as a process of its own: ``python -m throughline.serve.part`` and its name.

The supervisor starts it and gives it its orders (throughline/serve/lifeline.py). Where a part is a copy of the
supervisor (throughline/serve/processes.py), that has loaded before what all parts use.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from throughline.core.address import Address
from throughline.core.clock import open_clock
from throughline.core.errors import ConfigurationError, Fault, LastingError, PassingError
from throughline.core.logs import configure_logs
from throughline.core.settings import Settings, decode_settings
from throughline.serve.folder import PARTS, forget_addresses
from throughline.serve.lifeline import LASTING, PASSING, follow, say_ready, take

if TYPE_CHECKING:  # each part loads only what it runs
    from kpis.catalogue import Catalogue
    from lineage.process import Definitions
    from throughline.core.estate import Estate

_NICE = 10  # figures may be a few seconds late: what comes in, and whoever asks, goes before

Run = Callable[[Settings, Mapping[str, Address], str, Callable[[], None]], None]

_log = structlog.get_logger(__name__)


def run_collector_part(
    settings: Settings, addresses: Mapping[str, Address], control: str, ready: Callable[[], None]
) -> None:
    """Take events in."""
    from collector.serve import DOORS, new_loop, run_collector

    clock = open_clock(settings.clock, settings.data)
    doors = {door: addresses[door] for door in DOORS}
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(run_collector(settings, clock, lambda _: ready(), doors, control=control))


def run_engine_part(
    settings: Settings, addresses: Mapping[str, Address], control: str, ready: Callable[[], None]
) -> None:
    """Fold what came in into cases."""
    from lineage.engine_metrics import EngineMeter
    from lineage.run import Subject, run_engine
    from throughline.serve.limits import journal_limits_of, limits_of

    stop = _stop_on_signal()
    clock = open_clock(settings.clock, settings.data)

    def subject() -> Subject:
        definitions, estate, _ = declared(settings.definitions)
        limits, journal_limits = limits_of(settings), journal_limits_of(settings)
        return Subject(settings.data, definitions, estate, limits, clock, journal_limits, settings.store)

    first = subject()
    run_engine(first, stop, ready, EngineMeter(first), subject)


def run_watch_part(
    settings: Settings, addresses: Mapping[str, Address], control: str, ready: Callable[[], None]
) -> None:
    """Keep KPIs of the cases."""
    from kpis.run import Subject, run_watch
    from throughline.serve.limits import limits_of

    with suppress(OSError):
        os.nice(_NICE)
    stop = _stop_on_signal()
    clock = open_clock(settings.clock, settings.data)

    def subject() -> Subject:
        definitions, estate, catalogue = declared(settings.definitions)
        return Subject(settings.data, definitions, estate, catalogue, limits_of(settings), clock, settings.store)

    run_watch(subject(), stop, ready, subject)


def run_api_part(settings: Settings, addresses: Mapping[str, Address], control: str, ready: Callable[[], None]) -> None:
    """Answer questions."""
    from throughline.api.server import Ground, run_api
    from throughline.api.web import WebLimits
    from throughline.core.guards import open_guards
    from throughline.core.open_files import connections_within, narrowed, raise_limit
    from throughline.serve.limits import limits_of

    files = raise_limit()
    connections = connections_within(files, settings.connections, 2)  # as many again while they are refused
    narrow = narrowed(files, settings.connections, connections)
    with open_guards(settings) as guards:
        ground = Ground(
            data=settings.data,
            declared=lambda: declared(settings.definitions),
            limits=limits_of(settings),
            clock=open_clock(settings.clock, settings.data),
            collector=str(addresses["http"]),
            guards=guards,
            control=control,
            url=settings.store,
            free_bytes=settings.free_bytes,
            parts=settings.data / PARTS,
            web=WebLimits(settings.header_bytes, connections, settings.request_seconds),
            warnings=tuple(narrow),
        )
        run_api(ground, addresses["api"], ready)


def _stop_on_signal() -> threading.Event:
    """Return what is set by SIGTERM."""
    stop = threading.Event()

    def drain(*_: object) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, drain)
    return stop


def load(settings: Settings) -> None:
    """Load what all parts run and are declared, once for all copies of this process; faults are left for them to say.

    None of it may start a thread, or open what cannot be used in a copy.
    """
    for module in _LOADED:
        import_module(module)
    with suppress(ConfigurationError, OSError):
        declared(settings.definitions)
    gc.collect()
    gc.freeze()  # looking for garbage in it would write to the memory that is shared


_LOADED = (
    "collector.serve",
    "kpis.run",
    "lineage.engine_metrics",
    "lineage.run",
    "throughline.api.server",
    "throughline.core.guards",
    "throughline.serve.limits",
)


def declared(folder: Path | None) -> tuple[Definitions, Estate, Catalogue]:
    """Read what the firm declares; raises ConfigurationError with the faults of all files.

    What was read before stands for as long as none of the files has changed.
    """
    from throughline.core.yaml_file import yaml_files

    seen = [(str(path), *_look(path)) for path in ([] if folder is None else yaml_files(folder))]
    return _declared(folder, tuple(seen))


def _look(path: Path) -> tuple[int, int, int, int]:
    """Return what changes with a file; of one that is gone meanwhile its reader says so."""
    try:
        about = path.stat()
    except OSError:
        return 0, 0, 0, 0
    return about.st_mtime_ns, about.st_ctime_ns, about.st_size, about.st_ino


@lru_cache(maxsize=1)
def _declared(folder: Path | None, seen: tuple[tuple[str | int, ...], ...]) -> tuple[Definitions, Estate, Catalogue]:
    from kpis.catalogue import load_catalogue, validate_kpis
    from lineage.definitions import load_definitions
    from throughline.core.estate import load_estate
    from throughline.core.mappings.folder import read_mappings

    definitions: Definitions | None = None
    estate: Estate | None = None
    faults: list[Fault] = []
    try:
        definitions = load_definitions(folder)
    except ConfigurationError as error:
        faults += error.faults
    try:
        estate = load_estate(folder)
    except ConfigurationError as error:
        faults += error.faults
    faults += read_mappings(folder)[1]
    if folder is not None and definitions is not None:
        faults += validate_kpis(folder, definitions)
    if faults or definitions is None or estate is None:
        raise ConfigurationError(faults)
    return definitions, estate, load_catalogue(folder, definitions)


RUNS: Mapping[str, Run] = {
    "collector": run_collector_part,
    "engine": run_engine_part,
    "watch": run_watch_part,
    "api": run_api_part,
}


def live(name: str) -> None:
    """Run a part until told to stop; exit with LASTING where it can never start. Orders come by file 0."""
    with open(0, "rb", closefd=False) as stdin:
        orders = take(stdin)
        settings = decode_settings(bytes(orders.settings))
        follow(stdin, lost=lambda: forget_addresses(settings.data))
    configure_logs(settings.log_level, settings.log_format, name)
    addresses = {door: Address.parse(text) for door, text in orders.addresses.items()}
    try:
        RUNS[name](settings, addresses, orders.control, say_ready(orders.report))
    except LastingError as error:
        print(error, file=sys.stderr, flush=True)
        sys.exit(LASTING)
    except PassingError as error:
        _log.error("part_waits", why=str(error))
        sys.exit(PASSING)
    except Exception:
        _log.exception("part_failed")
        sys.exit(1)


if __name__ == "__main__":
    live(sys.argv[1])
