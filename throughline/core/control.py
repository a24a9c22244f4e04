"""What the parts of one serve say to each other: orders to the collector, which owns journal.db.

An order goes to the collector's HTTP door with the secret of the serve (``Authorization: Bearer SECRET``), which the
supervisor makes at each start and gives to its parts alone.
"""

from __future__ import annotations

import msgspec

REPLAY_PATH = "/v1/control/replay"


class ReplayOrder(msgspec.Struct, frozen=True):
    """Take these entries of the quarantine again; ``by`` says who wants it."""

    entries: tuple[int, ...]
    by: str
