"""Instants: whole microseconds since 1970-01-01T00:00:00Z, the only form of time that is stored or compared."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

MICROSECONDS = 1_000_000
MINUTE = 60 * MICROSECONDS
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ONE = timedelta(microseconds=1)
_LEAP = re.compile(r"(.{16}):60(?:\.\d+)?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)
_RFC3339 = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)


def from_datetime(moment: datetime) -> int:
    """Return an aware datetime as microseconds since the epoch; raise ValueError for a naive one."""
    if moment.tzinfo is None:
        raise ValueError("a time without zone")
    return (moment - _EPOCH) // _ONE


def to_datetime(instant: int) -> datetime:
    """Return the aware UTC datetime of an instant."""
    return _EPOCH + timedelta(microseconds=instant)


def parse_instant(text: str) -> int:
    """Read an RFC 3339 date-time; digits beyond microseconds are cut off.

    A leap second (23:59:60 in UTC) is the last microsecond of its minute, as time counted since an epoch has none.

    Raises ValueError with a sentence that says what was seen and what was wanted.
    """
    if not _RFC3339.fullmatch(text):
        raise ValueError(f"seen {text[:64]!r}, wanted an RFC 3339 time with zone, such as 2026-11-02T16:04:11Z")
    try:
        return (datetime.fromisoformat(text if text.isupper() else text.upper()) - _EPOCH) // _ONE
    except (ValueError, OverflowError) as error:
        leap = _leap_second(text)
        if leap is not None:
            return leap
        raise ValueError(f"seen {text[:64]!r}, which is no date ({error})") from None


def _leap_second(text: str) -> int | None:
    """Return the instant of a leap second; None for any other text. Source: RFC 3339, 5.7."""
    match = _LEAP.fullmatch(text)
    if match is None:
        return None
    instant = parse_instant(f"{match[1]}:59.999999{match[2]}")
    return instant if (instant + 1) % DAY == 0 else None


def format_instant(instant: int) -> str:
    """Write an instant as RFC 3339 in UTC, with a fraction only where there is one."""
    text = to_datetime(instant).isoformat().removesuffix("+00:00")
    return text + "Z"
