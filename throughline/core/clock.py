"""The clock: the only module that asks the system what time it is.

What decides takes ``now`` as an argument; only loops hold a clock. A clock rules receipts, deadlines and watermarks;
time-outs use ``time.monotonic``. Clocks other than the real one are for tests and demos.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, NamedTuple, Protocol

from throughline.core.durable import sync
from throughline.core.errors import ConfigurationError, Fault
from throughline.core.instants import format_instant, parse_instant

CLOCK_FILE = "clock.json"
MAX_SCALE = 1_000_000

_READ_AGAIN_SECONDS = 0.005
_MAX_FILE_BYTES = 1024
_WANTED = "real, scale=N, scale=N,from=TIME, or a file that holds an RFC 3339 time"


class Clock(Protocol):
    """Says what time it is, in microseconds since the epoch."""

    def now(self) -> int: ...

    def describe(self) -> dict[str, str | int | float]:
        """Return what a person should know of this clock; ``kind`` is real, scaled or file."""
        ...


class RealClock:
    """The time of the system."""

    def now(self) -> int:
        return time.time_ns() // 1000

    def describe(self) -> dict[str, str | int | float]:
        return {"kind": "real"}


class Origin(NamedTuple):
    """What a scaled clock counts from: at the real instant ``real`` it stood at ``scaled``."""

    scale: float
    real: int
    scaled: int


class ScaledClock:
    """Runs ``scale`` times as fast as the real clock, since an origin that all processes of a data folder share."""

    def __init__(self, origin: Origin, real: Clock) -> None:
        self._origin = origin
        self._real = real

    def now(self) -> int:
        passed = self._real.now() - self._origin.real
        return self._origin.scaled + round(passed * self._origin.scale)

    def describe(self) -> dict[str, str | int | float]:
        return {"kind": "scaled", "scale": self._origin.scale, "origin": format_instant(self._origin.scaled)}


class FileClock:
    """Stands at the time that a file holds, until the file holds a later one.

    The file is read at most every few milliseconds. A time before the last one is ignored and counted; a file that
    cannot be read just now (it may be half written) leaves the clock where it stands, and is counted.

    Raises ConfigurationError where the file holds no time at the start.
    """

    def __init__(self, path: Path, read_again_seconds: float = _READ_AGAIN_SECONDS) -> None:
        self._path = path
        self._read_again_seconds = read_again_seconds
        try:
            self._now = _read_time(path)
        except (OSError, ValueError) as error:
            raise _refused(str(path), "clock", str(error), "an RFC 3339 time, such as 2026-11-02T16:04:11Z") from error
        self._next_look = time.monotonic() + read_again_seconds
        self.backward = 0
        self.unreadable = 0

    def now(self) -> int:
        # The content is read, not its mtime: two times of the same length may be written within one tick of it.
        look = time.monotonic()
        if look >= self._next_look:
            self._next_look = look + self._read_again_seconds
            self._look()
        return self._now

    def describe(self) -> dict[str, str | int | float]:
        return {
            "kind": "file",
            "file": str(self._path),
            "backward": self.backward,
            "unreadable": self.unreadable,
        }

    def _look(self) -> None:
        try:
            found = _read_time(self._path)
        except (OSError, ValueError):
            self.unreadable += 1
            return
        if found < self._now:
            self.backward += 1
        else:
            self._now = found


def open_clock(spec: str, folder: Path, real: Clock | None = None) -> Clock:
    """Return the clock that ``--clock`` asks for; a scaled one keeps its origin in the data folder.

    ``spec`` is ``real``, ``scale=N``, ``scale=N,from=TIME`` (it starts at TIME instead of now), or the path of a file.
    Raises ConfigurationError for any other, and for a data folder that was begun with another scale.
    """
    real = real or RealClock()
    if spec == "real":
        _refuse_scaled(folder)
        return real
    if spec.startswith("scale="):
        return ScaledClock(_shared_origin(folder, _read_scale(spec, real)), real)
    _refuse_scaled(folder)
    return FileClock(Path(spec.removeprefix("file=")))


def _read_scale(spec: str, real: Clock) -> Origin:
    """Return the origin that ``scale=N[,from=TIME]`` asks for."""
    factor, comma, start = spec.removeprefix("scale=").partition(",from=")
    now = real.now()
    try:
        origin = Origin(float(factor), now, parse_instant(start) if comma else now)
    except ValueError:
        raise _refused("--clock", "", repr(spec), _WANTED) from None
    if not 0 < origin.scale <= MAX_SCALE:
        raise _refused("--clock", "scale", factor, f"a number above 0, at most {MAX_SCALE}")
    return origin


def _shared_origin(folder: Path, wanted: Origin) -> Origin:
    """Return the folder's origin; where it has none, write the wanted one, unless another process is faster."""
    path = folder / CLOCK_FILE
    if not path.exists():
        _write_once(path, json.dumps(wanted._asdict()))
    kept = _read_origin(path)
    if kept.scale != wanted.scale:
        seen = f"scale={wanted.scale:g}"
        raise _refused(str(path), "scale", seen, f"scale={kept.scale:g}, with which this data folder was begun")
    return kept


def _refuse_scaled(folder: Path) -> None:
    path = folder / CLOCK_FILE
    if path.exists():
        kept = _read_origin(path)
        wanted = f"--clock scale={kept.scale:g}, with which this data folder was begun, or another folder"
        raise _refused(str(path), "", "another clock", wanted)


def _read_origin(path: Path) -> Origin:
    try:
        content: Any = json.loads(path.read_text())
        return Origin(float(content["scale"]), int(content["real"]), int(content["scaled"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _refused(str(path), "", f"no origin of a clock ({error})", "the file as it was written") from error


def _write_once(path: Path, text: str) -> None:
    """Write a whole file that survives a power cut, or leave the one that another process wrote first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(file.name, path)
    sync(path.parent)


def _read_time(path: Path) -> int:
    with path.open("rb") as file:
        return parse_instant(file.read(_MAX_FILE_BYTES).decode("ascii", "replace").strip())


def _refused(file: str, path: str, seen: str, wanted: str) -> ConfigurationError:
    return ConfigurationError([Fault(file, None, path, seen, wanted)])
