"""One part of a running serve, as a process of its own: ``python -m throughline.serve.part`` and its name.

The supervisor starts it and gives it its orders (throughline/serve/lifeline.py).
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
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
        definitions, estate = _declared(settings.definitions)
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
        definitions, estate, catalogue = _declared_with_kpis(settings.definitions)
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
            declared=lambda: _declared_with_kpis(settings.definitions),
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


def _declared(folder: Path | None) -> tuple[Definitions, Estate]:
    """Read what the firm declares; raises ConfigurationError with the faults of all files."""
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
        from kpis.catalogue import validate_kpis

        faults += validate_kpis(folder, definitions)
    if faults or definitions is None or estate is None:
        raise ConfigurationError(faults)
    return definitions, estate


def _declared_with_kpis(folder: Path | None) -> tuple[Definitions, Estate, Catalogue]:
    """Read what the firm declares, and its KPIs; raises ConfigurationError."""
    from kpis.catalogue import load_catalogue

    definitions, estate = _declared(folder)
    return definitions, estate, load_catalogue(folder, definitions)


RUNS: Mapping[str, Run] = {
    "collector": run_collector_part,
    "engine": run_engine_part,
    "watch": run_watch_part,
    "api": run_api_part,
}


def main() -> None:
    """Run the part named on the command line until told to stop; exit with LASTING where it can never start."""
    name = sys.argv[1]
    orders = take(sys.stdin.buffer)
    settings = decode_settings(bytes(orders.settings))
    follow(sys.stdin.buffer, lost=lambda: forget_addresses(settings.data))
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
    main()
