"""Times as logs write them. A time without a zone is a fault, unless the person who imports says which zone it is."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from throughline.core.errors import LastingError
from throughline.core.instants import format_instant, from_datetime


def read_zone(name: str | None) -> ZoneInfo | None:
    """Return the zone of a name such as Europe/Berlin; raises LastingError for another."""
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise LastingError(f"--zone: seen {name[:64]!r}, wanted a time zone such as Europe/Berlin or UTC") from error


def zoned(text: str, zone: ZoneInfo | None) -> str:
    """Return a time in UTC; as it stands where it is none, or names no zone, so that the door says what is wrong.

    An hour that a clock shows twice is the earlier one.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return text
    if moment.tzinfo is None:
        if zone is None or len(text.strip()) <= len("2026-03-02"):
            return text
        moment = moment.replace(tzinfo=zone)
    try:
        return format_instant(from_datetime(moment))
    except (OverflowError, ValueError):
        return text
