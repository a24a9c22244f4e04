"""Logs: one line an occurrence, as JSON or for a person at a terminal, from our code and from libraries alike."""

from __future__ import annotations

import logging
import sys
from typing import Any, TextIO

import structlog
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import EventDict, Processor, WrappedLogger

from throughline.core.clock import Clock, RealClock
from throughline.core.instants import format_instant
from throughline.core.masking import masked
from throughline.core.settings import LogFormat, LogLevel

# They log every request, or every connection, at info.
_CHATTY = ("uvicorn.access", "grpc", "httpx2", "httpcore2", "asyncio", "apscheduler")


def configure_logs(
    level: LogLevel, form: LogFormat, part: str, stream: TextIO | None = None, clock: Clock | None = None
) -> None:
    """Send every log line of this process to ``stream`` (standard error), from ``level`` on; call it once, at start.

    Each line has ``time`` (RFC 3339, the real time), ``level``, ``part`` (which process speaks), ``event`` (what
    happened, in words) and what the call gave. Loggers come from ``structlog.get_logger()``.
    """
    out = stream or sys.stderr
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        _Stamp(part, clock or RealClock()),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(_number(level)),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    lines = logging.StreamHandler(out)
    lines.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_endings(form, out), _hide],
        )
    )
    root = logging.getLogger()
    root.handlers = [lines]
    root.setLevel(_number(level))
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(_number(level), logging.WARNING))
    logging.getLogger(_GRPC).addFilter(_is_no_farewell)
    logging.captureWarnings(True)


_GRPC = "grpc._cython.cygrpc"


def _is_no_farewell(record: logging.LogRecord) -> bool:
    """Tell whether a line of gRPC's says more than that a caller had left before he was answered: that is no error."""
    kind = record.exc_info[0] if record.exc_info else None
    return kind is None or kind.__name__ != "ExecuteBatchError"


class _Stamp:
    """Says when, and in which part, at the front of each line."""

    def __init__(self, part: str, clock: Clock) -> None:
        self._part = part
        self._clock = clock

    def __call__(self, logger: WrappedLogger, method: str, line: EventDict) -> EventDict:
        return {"time": format_instant(self._clock.now()), "part": self._part, **line}


def _endings(form: LogFormat, stream: TextIO) -> list[Processor]:
    if form is LogFormat.JSON or (form is LogFormat.AUTO and not stream.isatty()):
        # Without local variables: they may hold secrets, and they make a line of a page.
        tracebacks = structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False))
        return [tracebacks, structlog.processors.JSONRenderer(default=_as_text)]
    plain = structlog.dev.plain_traceback
    return [structlog.dev.ConsoleRenderer(colors=stream.isatty(), timestamp_key="time", exception_formatter=plain)]


def _hide(logger: WrappedLogger, method: str, line: Any) -> str:
    """Mask what looks like a secret: an error of a library may quote the URL, or the header, that it came upon."""
    return masked(line)


def _as_text(value: Any) -> str:
    return str(value)


def _number(level: LogLevel) -> int:
    return logging.getLevelNamesMapping()[level.upper()]
