"""One part of a running serve, as a process of its own: ``python -m throughline.serve.part collector|engine|api``.

The supervisor starts it and gives it its orders (throughline/serve/lifeline.py).
"""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
from collections.abc import Callable, Mapping

import structlog

from throughline.core.address import Address
from throughline.core.clock import open_clock
from throughline.core.errors import LastingError
from throughline.core.instants import HOUR
from throughline.core.logs import configure_logs
from throughline.core.settings import Settings, decode_settings
from throughline.serve.folder import PARTS
from throughline.serve.lifeline import LASTING, follow, say_ready, take

Run = Callable[[Settings, Mapping[str, Address], Callable[[], None]], None]

_log = structlog.get_logger(__name__)


def run_collector_part(settings: Settings, addresses: Mapping[str, Address], ready: Callable[[], None]) -> None:
    """Take events in."""
    from collector.serve import DOORS, run_collector

    clock = open_clock(settings.clock, settings.data)
    doors = {door: addresses[door] for door in DOORS}
    asyncio.run(run_collector(settings, clock, lambda _: ready(), doors))


def run_engine_part(settings: Settings, addresses: Mapping[str, Address], ready: Callable[[], None]) -> None:
    """Fold what came in into cases."""
    from lineage.definitions import load_definitions
    from lineage.engine_metrics import EngineMeter
    from lineage.run import Subject, run_engine
    from throughline.core.estate import load_estate

    stop = threading.Event()

    def drain(*_: object) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, drain)
    subject = Subject(
        data=settings.data,
        definitions=load_definitions(settings.definitions),
        estate=load_estate(settings.definitions),
        limits=_limits(settings),
        clock=open_clock(settings.clock, settings.data),
    )
    run_engine(subject, stop, ready, EngineMeter(subject))


def run_api_part(settings: Settings, addresses: Mapping[str, Address], ready: Callable[[], None]) -> None:
    """Answer questions."""
    from lineage.definitions import load_definitions
    from throughline.api.server import Ground, run_api
    from throughline.core.estate import load_estate

    ground = Ground(
        data=settings.data,
        definitions=load_definitions(settings.definitions),
        estate=load_estate(settings.definitions),
        limits=_limits(settings),
        clock=open_clock(settings.clock, settings.data),
        tokens=settings.api_tokens,
        collector=str(addresses["http"]),
        parts=settings.data / PARTS,
    )
    run_api(ground, addresses["api"], ready)


def _limits(settings: Settings):
    from lineage.engine import Limits

    return Limits(round(settings.orphan_hours * HOUR), settings.bulk_limit, settings.fan_out_limit)


RUNS: Mapping[str, Run] = {"collector": run_collector_part, "engine": run_engine_part, "api": run_api_part}


def main() -> None:
    """Run the part named on the command line until told to stop; exit with LASTING where it can never start."""
    name = sys.argv[1]
    orders = take(sys.stdin.buffer)
    follow(sys.stdin.buffer)
    settings = decode_settings(bytes(orders.settings))
    configure_logs(settings.log_level, settings.log_format, name)
    addresses = {door: Address.parse(text) for door, text in orders.addresses.items()}
    try:
        RUNS[name](settings, addresses, say_ready(orders.report))
    except LastingError as error:
        print(error, file=sys.stderr, flush=True)
        sys.exit(LASTING)
    except Exception:
        _log.exception("part_failed")
        sys.exit(1)


if __name__ == "__main__":
    main()
