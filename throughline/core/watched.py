"""Files that are read again when they change; a change that cannot be used leaves what was read before in force."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Generic, TypeVar

import structlog

from throughline.core.errors import ConfigurationError, Fault

LOOK_SECONDS = 0.5
STOP_SECONDS = 5.0

Held = TypeVar("Held")

_log = structlog.get_logger(__name__)


class Watched(Generic[Held]):
    """What some files say, read together: ``held`` is in force, ``faults`` says why they cannot be used as they stand.

    ``look`` is for one thread; any thread may read ``held`` and ``faults``.
    """

    def __init__(self, what: str, files: Sequence[Path], read: Callable[[], Held]) -> None:
        """Read the files; raises ConfigurationError where they cannot be used. ``what`` names them in sentences."""
        self.what = what
        self.faults: tuple[Fault, ...] = ()
        self._files = tuple(files)
        self._read = read
        self._judged = self._fingerprint()
        self._changed: tuple[str, ...] | None = None
        self.held: Held = read()

    def look(self) -> None:
        """Take a change into force once two looks have seen it alike: until then somebody may be writing it."""
        seen = self._fingerprint()
        if seen == self._judged:
            self._changed = None
            return
        if seen != self._changed:
            self._changed = seen
            return
        self._judged, self._changed = seen, None
        try:
            self.held = self._read()
        except ConfigurationError as error:
            self.faults = tuple(error.faults)
            _log.error("change_not_taken", what=self.what, faults=[str(fault) for fault in error.faults])
        else:
            self.faults = ()
            _log.info("change_taken", what=self.what, files=[str(file) for file in self._files])

    def content_now(self, number: int) -> bytes:
        """Return what one of the files holds just now, of use or not; nothing where it can't be read."""
        try:
            return self._files[number].read_bytes()
        except OSError:
            return b""

    def warning(self) -> str | None:
        """Return what is wrong as a sentence that may be shown to anybody; None where all is well."""
        if not self.faults:
            return None
        count = "a fault" if len(self.faults) == 1 else f"{len(self.faults)} faults"
        return f"{self.what} has {count} (the log says which): what it said before stays in force"

    def _fingerprint(self) -> tuple[str, ...]:
        return tuple(_fingerprint(file) for file in self._files)


def _fingerprint(file: Path) -> str:
    try:
        return f"{file.stat().st_mode:o} {sha256(file.read_bytes()).hexdigest()}"
    except OSError as error:
        return f"cannot be read: {error.errno}"


class Looking:
    """Looks at files again and again in a thread of its own, until closed; safe twice."""

    def __init__(self, looks: Sequence[Callable[[], None]], seconds: float = LOOK_SECONDS) -> None:
        self._looks = tuple(looks)
        self._seconds = seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watched files", daemon=True)
        if self._looks:
            self._thread.start()

    def close(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        while not self._stop.wait(self._seconds):
            for look in self._looks:
                try:
                    look()
                except Exception:  # what is in force stays so, and the next look may do
                    _log.exception("look_failed")
