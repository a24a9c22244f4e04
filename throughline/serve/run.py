"""``throughline serve``: the data folder, the ports and the parts, put together."""

from __future__ import annotations

import asyncio
import os
import secrets
import sqlite3
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path

import msgspec
import structlog

from lineage.generations import tidy
from throughline.core.address import Address
from throughline.core.errors import StartRefused, StoreUnavailable
from throughline.core.settings import Settings, encode_settings, option_of
from throughline.core.store_url import StoreUrl
from throughline.serve.database import check_store
from throughline.serve.folder import ADDRESSES, CERTIFICATE, PARTS, DataFolder
from throughline.serve.lifeline import Orders, give
from throughline.serve.part import live, load
from throughline.serve.ports import Reservation, reserve
from throughline.serve.processes import can_copy
from throughline.serve.supervisor import Part, Supervisor, Watcher, python_part, supervise

DOORS = ("http", "api", "otlp_http", "otlp_grpc")
START_ORDER = ("engine", "collector", "api", "watch")  # nothing is taken in for definitions that cannot be used
NO_PROCESS_TO_DO = "see that processes, memory and open files are not used up (ulimit -a)"
DRAIN_ORDER = ("collector", "engine", "watch", "api")

_log = structlog.get_logger(__name__)


def run_serve(settings: Settings, started: Callable[[Mapping[str, str]], None]) -> None:
    """Serve until told to stop (SIGTERM, SIGINT); ``started`` is given HOST:PORT by door once all parts are ready.

    Raises StartRefused where it cannot start or go on: the folder or a port is taken, or a part says never.
    """
    with ExitStack() as stack:
        folder = stack.enter_context(closing(DataFolder(settings.data.absolute())))
        folder.remove(ADDRESSES)
        check_store(folder, settings.store)
        _tidy(folder, settings.store)
        stack.callback(folder.remove, PARTS)
        stack.callback(folder.remove, ADDRESSES)
        ports = stack.enter_context(_reserved({door: getattr(settings, door) for door in DOORS}))
        addresses = {door: str(port.address) for door, port in ports.items()}
        control = secrets.token_urlsafe(32)
        copies = can_copy()
        supervisor = Supervisor(
            parts=[_part(name, settings, addresses, control, copies) for name in START_ORDER],
            drain_order=DRAIN_ORDER,
            keep_open=[folder.lock],
            watcher=_watcher(folder, addresses, settings.tls_certificate, started),
        )
        asyncio.run(supervise(supervisor, partial(load, settings) if copies else lambda: None))


def _tidy(folder: DataFolder, url: StoreUrl | None) -> None:
    """Leave one generation of the store; where the disk does not allow it, those there are will do."""
    try:
        tidy(folder.path, url)
    except (OSError, sqlite3.Error, StoreUnavailable) as error:
        _log.warning("former_stores_not_removed", folder=str(folder.path), error=str(error))


@contextmanager
def _reserved(wanted: Mapping[str, Address]) -> Generator[dict[str, Reservation]]:
    with ExitStack() as stack:
        ports: dict[str, Reservation] = {}
        for door, address in wanted.items():
            ports[door] = stack.enter_context(closing(reserve(option_of(door), address)))
        yield ports


def _part(name: str, settings: Settings, addresses: Mapping[str, str], control: str, copies: bool) -> Part:
    content = msgspec.Raw(encode_settings(settings))

    def orders(report: int) -> bytes:
        return give(Orders(addresses=dict(addresses), settings=content, report=report, control=control))

    return Part(name, python_part(name), orders, partial(live, name) if copies else None)


def _watcher(
    folder: DataFolder,
    addresses: Mapping[str, str],
    certificate: Path | None,
    started: Callable[[Mapping[str, str]], None],
) -> Watcher:
    written = dict(addresses)
    if certificate is not None:
        written[CERTIFICATE] = str(certificate.absolute())

    def pids(running: Mapping[str, int]) -> None:
        try:
            folder.write(PARTS, {"supervisor": os.getpid(), **running})
        except OSError as error:  # the disk is full: no reason not to start a part again
            _log.warning("process_ids_not_written", file=str(folder.path / PARTS), error=str(error))

    def restarted(name: str, code: int, delay: float) -> None:
        _log.warning("part_ended", part=name, exit_code=code, starts_again_in_seconds=delay)

    def unstarted(name: str, error: OSError) -> None:
        _log.error("no_process_for_a_part", part=name, error=str(error), what_to_do=NO_PROCESS_TO_DO)

    def ready() -> None:
        try:
            folder.write(ADDRESSES, written)
        except OSError as error:
            raise StartRefused(f"{folder.path / ADDRESSES} cannot be written ({error}): free space") from error
        started(addresses)

    return Watcher(pids, restarted, ready, unstarted)
