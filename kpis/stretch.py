"""Stretches of time that both sides of a comparison name: a week, a month, a period; pure."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import NamedTuple

WEEK, MONTH, PERIOD = "week", "month", "period"
STRETCHES = (WEEK, MONTH, PERIOD)

_WEEK = re.compile(r"(\d{4})-?W(\d{2})", re.ASCII)
_MONTH = re.compile(r"(\d{4})-(\d{2})", re.ASCII)
_QUARTER = re.compile(r"(\d{4})-?Q([1-4])", re.ASCII)
_YEAR = re.compile(r"\d{4}", re.ASCII)


class Stretch(NamedTuple):
    """A stretch in the one way in which it is written, and its first day."""

    text: str
    first: date


def week_of(day: date) -> Stretch:
    """Return the week of a day (ISO 8601: from Monday on)."""
    year, week, weekday = day.isocalendar()
    return Stretch(f"{year:04}-W{week:02}", day - timedelta(days=weekday - 1))


def month_of(day: date) -> Stretch:
    """Return the month of a day."""
    return Stretch(f"{day.year:04}-{day.month:02}", day.replace(day=1))


def read_stretch(name: str, text: str) -> Stretch | None:
    """Return the week, month or period (a month, week, quarter, year or day) that a text names; None: it names none."""
    text = text.strip()
    try:
        if name == WEEK:
            return _read_week(text) or week_of(date.fromisoformat(text))
        if name == MONTH:
            return _read_month(text) or month_of(date.fromisoformat(text))
        return _read_period(text)
    except ValueError:
        return None


def _read_period(text: str) -> Stretch:
    if match := _QUARTER.fullmatch(text):
        return Stretch(f"{match[1]}-Q{match[2]}", date(int(match[1]), 3 * int(match[2]) - 2, 1))
    if _YEAR.fullmatch(text):
        return Stretch(text, date(int(text), 1, 1))
    found = _read_week(text) or _read_month(text)
    if found is not None:
        return found
    day = date.fromisoformat(text)
    return Stretch(day.isoformat(), day)


def _read_week(text: str) -> Stretch | None:
    match = _WEEK.fullmatch(text)
    return None if match is None else week_of(date.fromisocalendar(int(match[1]), int(match[2]), 1))


def _read_month(text: str) -> Stretch | None:
    match = _MONTH.fullmatch(text)
    return None if match is None else month_of(date(int(match[1]), int(match[2]), 1))
