"""Frames: requests encoded beforehand, one after the other in a file, so that sending them costs next to nothing.

A frame is its length and its number of items (two 32-bit numbers), then the bytes of one HTTP request.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from bench.workload import Workload, arrivals

BATCH_TYPE = "application/cloudevents-batch+json"
STRUCTURED_TYPE = "application/cloudevents+json"
EVENTS_PATH = "/v1/events"

_HEAD = struct.Struct("<II")


def request(path: str, content_type: str, body: bytes, *more: str) -> bytes:
    """Return one HTTP/1.1 request, kept alive; ``more`` are further header lines."""
    lines = (
        f"POST {path} HTTP/1.1",
        "Host: localhost",
        f"Content-Type: {content_type}",
        f"Content-Length: {len(body)}",
        *more,
    )
    return "\r\n".join((*lines, "", "")).encode() + body


def write_frames(path: Path, frames: Iterable[tuple[int, bytes]]) -> None:
    """Write (items, request) frames to a file."""
    with path.open("wb", buffering=1 << 20) as file:
        for items, content in frames:
            file.write(_HEAD.pack(len(content), items))
            file.write(content)


def write_workload(path: Path, workload: Workload, size: int) -> int:
    """Write a workload as batches of CloudEvents, or as single ones where ``size`` is 1; return its memberships."""
    memberships = 0

    def bodies() -> Iterator[bytes]:
        nonlocal memberships
        for event in arrivals(workload):
            memberships += event.cases
            yield event.body

    write_frames(path, event_frames(bodies(), size))
    return memberships


def event_frames(events: Iterable[bytes], size: int) -> Iterator[tuple[int, bytes]]:
    """Yield frames of so many events each, structured ones where ``size`` is 1."""
    left = iter(events)
    while some := list(islice(left, size)):
        if size == 1:
            yield 1, request(EVENTS_PATH, STRUCTURED_TYPE, some[0])
        else:
            yield len(some), request(EVENTS_PATH, BATCH_TYPE, b"[" + b",".join(some) + b"]")


class Frames:
    """The frames of a file, read from memory; close it when done."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._view = memoryview(self._map)
        self._places: list[tuple[int, int, int]] = []
        at = 0
        while at < len(self._map):
            length, items = _HEAD.unpack_from(self._map, at)
            at += _HEAD.size
            self._places.append((at, at + length, items))
            at += length

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: int) -> tuple[memoryview, int]:
        """Return the bytes of a frame, and its items."""
        start, end, items = self._places[index]
        return self._view[start:end], items

    def close(self) -> None:
        self._view.release()
        self._map.close()
