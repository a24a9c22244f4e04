"""The application over the store in force: another one is built when a rebuild puts another generation in force.

Requests that are under way end in the application that they began in; the next ones wait until the new one stands.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Receive, Scope, Send

from lineage.generations import mark
from throughline.core.errors import ConfigurationError

Build = Callable[[ExitStack], ASGIApp]
"""Makes an application; what it opens is closed with the stack."""

_log = structlog.get_logger(__name__)


class _Generation:
    """An application over one generation of the store, and the requests that are under way in it."""

    def __init__(self, build: Build, seen: int) -> None:
        self.seen = seen
        self.under_way = 0
        with ExitStack() as stack:
            self.app = build(stack)
            self._opened = stack.pop_all()

    def close(self) -> None:
        self._opened.close()


class Adopting:
    """An ASGI application. Closing closes what the present one opened; safe twice."""

    def __init__(self, data: Path, build: Build) -> None:
        """Build the first application; raises what ``build`` raises."""
        self._data = data
        self._build = build
        self._lock = asyncio.Lock()
        self._now = _Generation(build, mark(data))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if mark(self._data) != self._now.seen:
            await self._adopt()
        generation = self._now
        generation.under_way += 1
        try:
            await generation.app(scope, receive, send)
        finally:
            generation.under_way -= 1
            if generation is not self._now and generation.under_way == 0:
                generation.close()

    async def _adopt(self) -> None:
        """Build the application over the generation in force; where that cannot be, the former goes on."""
        async with self._lock:
            seen, former = mark(self._data), self._now
            if seen == former.seen:
                return
            try:
                self._now = await run_in_threadpool(_Generation, self._build, seen)
            except ConfigurationError as error:
                _log.error("rebuilt_store_not_taken_over", faults=[str(fault) for fault in error.faults])
                former.seen = seen
                return
            if former.under_way == 0:
                former.close()

    def close(self) -> None:
        self._now.close()
