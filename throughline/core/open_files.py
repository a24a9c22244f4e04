"""Files that this process may have open, connections among them: as many as the system allows, with some kept free.

Who may have few takes fewer connections: then a door makes room as it does for any crowd, and whoever looks after it
still gets in. Where files run out all the same, the next connections wait.
"""

from __future__ import annotations

import contextlib
import resource
from typing import Final

import structlog

RESERVED: Final = 128  # for the databases, the log and whoever reads the settings' files
FEWEST_CONNECTIONS: Final = 4
WHAT_TO_DO: Final = "allow more open files (`ulimit -n`, LimitNOFILE= of systemd, nofile of a container)"

_log = structlog.get_logger(__name__)


def raise_limit() -> int:
    """Let this process have as many files as the system allows it; return how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            return hard
    return soft


def connections_within(files: int, wanted: int, shares: int) -> int:
    """Return how many connections a door may have, of those wanted, where so many files may be open.

    ``shares`` is how many times as many connections as that may be open together, at all doors of the process.
    """
    if files == resource.RLIM_INFINITY:
        return wanted
    return min(wanted, max(FEWEST_CONNECTIONS, (files - RESERVED) // shares))


def narrowed(files: int, wanted: int, given: int) -> list[str]:
    """Return, and log, why there are fewer connections than wanted, as a sentence; none where there are not."""
    if given >= wanted:
        return []
    sentence = (
        f"{files:,} files may be open, so a door takes {given:,} connections of the {wanted:,} wanted (connections):"
        f" {WHAT_TO_DO} and start again"
    )
    _log.warning("fewer_connections", why=sentence)
    return [sentence]
