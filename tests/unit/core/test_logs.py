"""Log lines carry when, where and what, from our code and from libraries alike."""

from __future__ import annotations

import io
import json
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from throughline.core.address import Address
from throughline.core.instants import parse_instant
from throughline.core.logs import configure_logs
from throughline.core.settings import LogFormat, LogLevel
from throughline.core.token import new_secret


class StandingClock:
    def now(self) -> int:
        return parse_instant("2026-11-02T08:00:00.5Z")

    def describe(self) -> dict[str, str | int | float]:
        return {"kind": "standing"}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield io.StringIO()
    root.handlers = handlers
    root.setLevel(level)
    logging.captureWarnings(False)
    structlog.reset_defaults()


def configure(stream: io.StringIO, form: LogFormat = LogFormat.JSON, level: LogLevel = LogLevel.INFO) -> None:
    configure_logs(level, form, "collector", stream, StandingClock())


def lines_of(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_says_when_in_which_part_and_what(stream: io.StringIO) -> None:
    configure(stream)
    structlog.get_logger().info("journal opened", records=3, address=Address("::1", 80))
    assert lines_of(stream) == [
        {
            "time": "2026-11-02T08:00:00.500000Z",
            "part": "collector",
            "level": "info",
            "event": "journal opened",
            "records": 3,
            "address": ["::1", 80],
        }
    ]


def test_lines_of_libraries_have_the_same_shape(stream: io.StringIO) -> None:
    configure(stream)
    logging.getLogger("uvicorn.error").warning("started %s", "slowly", extra={"pid": 7})
    (line,) = lines_of(stream)
    assert (line["event"], line["level"], line["part"], line["pid"]) == ("started slowly", "warning", "collector", 7)


def test_lines_below_the_level_are_not_written(stream: io.StringIO) -> None:
    configure(stream, level=LogLevel.WARNING)
    structlog.get_logger().info("quiet")
    logging.getLogger("some.library").info("quiet")
    structlog.get_logger().error("loud")
    assert [line["event"] for line in lines_of(stream)] == ["loud"]


def test_a_library_that_logs_every_request_is_kept_quiet(stream: io.StringIO) -> None:
    configure(stream)
    logging.getLogger("uvicorn.access").info("GET /health")
    assert stream.getvalue() == ""


def test_an_exception_is_one_line_with_its_type(stream: io.StringIO) -> None:
    configure(stream)
    try:
        raise ValueError("seen x")
    except ValueError:
        structlog.get_logger().exception("could not fold")
    (line,) = lines_of(stream)
    assert line["event"] == "could not fold"
    assert line["exception"][0]["exc_type"] == "ValueError"


def test_a_secret_stays_hidden_in_a_line(stream: io.StringIO) -> None:
    configure(stream)
    secret = new_secret()
    structlog.get_logger().info("token read", secret=secret)
    assert secret.get_secret_value() not in stream.getvalue()


@pytest.mark.parametrize("form", [LogFormat.JSON, LogFormat.CONSOLE])
def test_a_secret_that_an_error_quotes_is_masked(stream: io.StringIO, form: LogFormat) -> None:
    configure(stream, form)
    try:
        raise ConnectionError("cannot reach postgresql+psycopg://ana:s3cret@db.example/x with Bearer s3cret-s3cret")
    except ConnectionError:
        structlog.get_logger().exception("no_store", url="https://s3cret@db.example", more={"password": "s3cret"})
    logging.getLogger("some.library").warning("sent authorization: Bearer s3cret-s3cret-s3cret")
    assert "no_store" in stream.getvalue()
    assert "s3cret" not in stream.getvalue()
    if form is LogFormat.JSON:
        assert [line["level"] for line in lines_of(stream)] == ["error", "warning"]


@pytest.mark.parametrize("form", [LogFormat.JSON, LogFormat.CONSOLE])
def test_an_exception_does_not_show_local_variables(stream: io.StringIO, form: LogFormat) -> None:
    configure(stream, form)
    presented = "s3cret-" * 3
    try:
        raise ValueError(len(presented))
    except ValueError:
        structlog.get_logger().exception("refused")
    assert "ValueError" in stream.getvalue()
    assert presented not in stream.getvalue()


def test_warnings_of_python_become_lines(stream: io.StringIO) -> None:
    configure(stream)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    assert "DeprecationWarning: old" in lines_of(stream)[0]["event"]


def test_at_a_terminal_lines_are_for_a_person(stream: io.StringIO) -> None:
    terminal = Terminal()
    configure(terminal, LogFormat.AUTO)
    structlog.get_logger().info("journal opened", records=3)
    assert "journal opened" in terminal.getvalue()
    assert not terminal.getvalue().startswith("{")


def test_off_a_terminal_lines_are_json(stream: io.StringIO) -> None:
    configure(stream, LogFormat.AUTO)
    structlog.get_logger().info("journal opened")
    assert lines_of(stream)[0]["event"] == "journal opened"


class ExecuteBatchError(Exception):
    """As gRPC calls it where it cannot answer, as the caller is gone."""


def test_a_caller_that_left_before_its_answer_is_no_error_and_any_other_failure_of_grpc_is(
    stream: io.StringIO,
) -> None:
    configure_logs(LogLevel.INFO, LogFormat.JSON, "collector", stream)
    speaks = logging.getLogger("grpc._cython.cygrpc")
    for failure in (ExecuteBatchError("no one is there"), RuntimeError("of ours")):
        try:
            raise failure
        except Exception:
            speaks.exception("raised by servicer method")
    (line,) = stream.getvalue().splitlines()
    assert json.loads(line)["exception"][0]["exc_type"] == "RuntimeError"
