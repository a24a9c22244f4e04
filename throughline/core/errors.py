"""Errors of our own: every failure is *passing* (try again) or *lasting* (don't)."""

from __future__ import annotations

from dataclasses import dataclass


class ThroughlineError(Exception):
    """Any failure that Throughline names itself."""


class PassingError(ThroughlineError):
    """The same call may succeed later: a full disk, a locked file, an overload."""


class LastingError(ThroughlineError):
    """The same call can never succeed: bad input, bad configuration."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault in something a person wrote: where it stands, what was seen, what was wanted."""

    file: str
    line: int | None
    path: str
    seen: str
    wanted: str
    column: int | None = None

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)
        where = f"{place}: {self.path}" if self.path else place
        return f"{where}: seen {self.seen}, wanted {self.wanted}"


class ConfigurationError(LastingError):
    """What a person configured cannot be used; carries every fault found, not only the first."""

    def __init__(self, faults: list[Fault]) -> None:
        self.faults = faults
        super().__init__("\n".join(str(fault) for fault in faults))


class RebuildNeeded(LastingError):
    """Key definitions differ from those that the stored links were drawn with."""


class StoreUnavailable(PassingError):
    """A database file cannot be written now: the disk is full, or the file is read-only or locked."""


class StoreDamaged(StoreUnavailable):
    """A database file is not as it was written: a disk or a hand has changed it."""


class StartRefused(ThroughlineError):
    """A service cannot start as it was asked to; the message says why and what to do next."""
