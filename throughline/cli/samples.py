"""Reading a file of samples: JSON, NDJSON, OTLP/JSON, or a request or answer as curl saved it, with its headers."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple, cast

import msgspec

from collector.cloudevents import BATCH, STRUCTURED
from collector.reading import Signal
from throughline.core.errors import StartRefused
from throughline.core.mappings.form import Input

MOST_SAMPLES = 10_000
LARGEST_BYTES = 64 * 1024 * 1024
_LINE_BREAKS = (b"\r\n\r\n", b"\n\n")


class Sample(NamedTuple):
    """One sample as a door would get it: what it is, and the request that would bring it."""

    input: Input
    signal: Signal
    content_type: str
    headers: dict[str, str]
    body: bytes
    content: Any


def read_samples(path: Path) -> list[Sample]:
    """Return the samples of a file, in order; raises StartRefused where it can't be read as any form."""
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise StartRefused(f"{path} cannot be read ({error.strerror}): give a file of samples") from error
    if len(text) > LARGEST_BYTES:
        raise StartRefused(f"{path} has more than {LARGEST_BYTES:,} bytes: give some samples of it")
    headers, body = _headers(text)
    samples = [sample_of(content, raw, headers) for content, raw in _documents(body, path)]
    if len(samples) > MOST_SAMPLES:
        raise StartRefused(f"{path} has more than {MOST_SAMPLES:,} samples: give some of them")
    return samples


def _headers(text: bytes) -> tuple[dict[str, str], bytes]:
    """Split the headers off that stand before a body; none where it begins as JSON does."""
    headers: dict[str, str] = {}
    body = text.removeprefix(b"\xef\xbb\xbf")
    while body.lstrip()[:1] not in (b"{", b"[", b""):
        parts = [body.partition(mark) for mark in _LINE_BREAKS if mark in body]
        if not parts:
            break
        head, _, body = min(parts, key=lambda part: len(part[0]))
        for line in head.decode("latin-1").splitlines():
            name, colon, value = line.lstrip("<> ").partition(":")
            if colon and name.strip().isascii() and " " not in name.strip():
                headers[name.strip().lower()] = value.strip()
    return headers, body


def _documents(body: bytes, path: Path) -> list[tuple[Any, bytes]]:
    try:
        content = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        lines = [line for line in body.splitlines() if line.strip()]
        if len(lines) < 2:
            raise StartRefused(
                f"{path} is no JSON ({_cause(error)}): give JSON, or NDJSON with one sample a line"
            ) from None
        return [_line(line, number, path) for number, line in enumerate(lines, start=1)]
    if isinstance(content, list):
        raws = msgspec.json.decode(body, type=list[msgspec.Raw])
        return [(each, bytes(raw)) for each, raw in zip(cast("list[Any]", content), raws, strict=True)]
    return [(content, body)]


def _line(line: bytes, number: int, path: Path) -> tuple[Any, bytes]:
    try:
        return msgspec.json.decode(line), line
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise StartRefused(f"{path}, line {number}, is no JSON ({_cause(error)}): mend that line") from None


def _cause(error: Exception) -> str:
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)


def sample_of(content: Any, raw: bytes, headers: dict[str, str]) -> Sample:
    """Return what a body is, by what it says and by the headers that came with it."""
    members: dict[str, Any] = cast("dict[str, Any]", content) if isinstance(content, dict) else {}
    if "resourceSpans" in members:
        return Sample(Input.SPAN, Signal.TRACES, "application/json", {}, raw, content)
    if "resourceLogs" in members:
        return Sample(Input.LOG, Signal.LOGS, "application/json", {}, raw, content)
    binary = {name: value for name, value in headers.items() if name.startswith("ce-")}
    if "ce-type" in binary:
        content_type = headers.get("content-type", "application/json")
        attributes: dict[str, Any] = {name.removeprefix("ce-"): value for name, value in binary.items()} | {
            "data": content
        }
        return Sample(Input.CLOUDEVENT, Signal.EVENTS, content_type, binary, raw, attributes)
    if "specversion" in members or headers.get("content-type", "").startswith((STRUCTURED, BATCH)):
        return Sample(Input.CLOUDEVENT, Signal.EVENTS, STRUCTURED, {}, raw, content)
    return Sample(Input.JSON, Signal.JSON, "application/json", {}, raw, content)
