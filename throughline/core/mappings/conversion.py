"""Typed conversions: from how a system writes a value to how an event does. Exact, and a fault instead of a guess."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, Final
from zoneinfo import ZoneInfo

from throughline.core.instants import format_instant, from_datetime, parse_instant
from throughline.core.mappings.misfit import Lack, Misfit, shown
from throughline.core.number import scalar_text

LONGEST_NUMBER: Final = 40
MOST_PLACES: Final = 20  # so that no arithmetic on it is rounded
MOST_DIGITS: Final = 6  # of a currency's minor unit; ISO 4217 knows 0 to 4
_LATEST: Final = 253_402_300_799_999_999  # 9999-12-31, in microseconds


class As(StrEnum):
    """What a value is read as."""

    TEXT = "text"
    DECIMAL = "decimal"
    DECIMAL_COMMA = "decimal_comma"
    MINOR_UNITS = "minor_units"
    MINUTES = "minutes"
    INSTANT = "instant"
    LOCAL = "local"
    EPOCH_S = "epoch_s"
    EPOCH_MS = "epoch_ms"
    EPOCH_US = "epoch_us"
    DOTNET = "dotnet"


class Detail:
    """What a conversion needs beside its name."""

    __slots__ = ("digits", "format", "zone")

    def __init__(self, digits: int = 0, zone: ZoneInfo | None = None, format: str | None = None) -> None:
        self.digits = digits
        self.zone = zone
        self.format = format


def convert(value: Any, to: As, detail: Detail) -> Any:
    """Return a scalar as what it is read as, always as text; raise Misfit where it is none."""
    text = scalar_text(value)
    if text is None:
        raise Misfit(Lack.BAD_FIELD, f"seen {shown(value)}, wanted a single value")
    return _CONVERSIONS[to](text, detail)


def _decimal(text: str, detail: Detail) -> str:
    _number(text, "a decimal such as 1125.00")
    return text


def _decimal_comma(text: str, detail: Detail) -> str:
    whole, comma, fraction = text.partition(",")
    first, *groups = whole.removeprefix("-").split(".")
    grouped = all(len(group) == 3 for group in groups) and (not groups or 0 < len(first) <= 3)
    if not grouped or bool(comma) != bool(fraction) or not _digits(first, *groups, fraction or "0"):
        raise Misfit(Lack.BAD_NUMBER, f"seen {shown(text)}, wanted a decimal with a comma, such as 1.125,00")
    plain = whole.replace(".", "")
    return f"{plain}.{fraction}" if fraction else plain


def _minor_units(text: str, detail: Detail) -> str:
    """Return whole minor units as a decimal: 112500 cents are 1125.00."""
    number = _number(text, "a whole number of minor units, such as 112500")
    if number != number.to_integral_value():
        raise Misfit(Lack.BAD_NUMBER, f"seen {shown(text)}, wanted a whole number of minor units, such as 112500")
    return f"{number.scaleb(-detail.digits):.{detail.digits}f}"


def _minutes(text: str, detail: Detail) -> str:
    """Return minutes as hours: 450 are 7.5; a third of an hour is rounded to ten thousandths."""
    hours = _number(text, "minutes, such as 450") / 60
    return f"{hours.quantize(_TEN_THOUSANDTHS).normalize():f}"


_TEN_THOUSANDTHS = Decimal("0.0001")


def _number(text: str, wanted: str) -> Decimal:
    try:
        number = Decimal(text) if len(text) <= LONGEST_NUMBER and text.isascii() and "_" not in text else Decimal("NaN")
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or abs(number.adjusted()) >= MOST_PLACES or text != text.strip():
        raise Misfit(Lack.BAD_NUMBER, f"seen {shown(text)}, wanted {wanted}")
    return number


def _digits(*texts: str) -> bool:
    return all(text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER for text in texts)


def _instant(text: str, detail: Detail) -> str:
    try:
        return format_instant(parse_instant(text))
    except ValueError as error:
        raise Misfit(Lack.BAD_TIME, str(error)) from None


def _local(text: str, detail: Detail) -> str:
    """Return a time without zone as one of its declared zone.

    A date alone is its first instant. An hour that the clock went through twice is taken as the first of the two; one
    that it left out is no time.
    """
    zone = detail.zone or ZoneInfo("UTC")
    try:
        moment = datetime.strptime(text, detail.format) if detail.format else datetime.fromisoformat(text)  # noqa: DTZ007
    except ValueError:
        wanted = f"a time such as {_example(detail.format)}" if detail.format else "a time such as 2026-11-02T16:04:11"
        raise Misfit(Lack.BAD_TIME, f"seen {shown(text)}, wanted {wanted}") from None
    if moment.tzinfo is not None:
        raise Misfit(Lack.BAD_TIME, f"seen {shown(text)}, wanted a time without zone, which is one of {zone.key}")
    try:
        aware = moment.replace(tzinfo=zone).astimezone(UTC)
        if aware.astimezone(zone).replace(tzinfo=None) != moment:
            raise Misfit(Lack.BAD_TIME, f"seen {shown(text)}, a time that {zone.key} left out, wanted one that was")
        return format_instant(from_datetime(aware))
    except OverflowError:
        raise Misfit(Lack.BAD_TIME, f"seen {shown(text)}, wanted a plausible time") from None


def _example(format: str) -> str:
    return (datetime(2026, 11, 2, 16, 4, 11, tzinfo=UTC) + timedelta()).strftime(format)


def _epoch(per_second: int) -> Callable[[str, Detail], str]:
    factor = 1_000_000 // per_second
    example = f"{1_793_635_451 * per_second}"

    def epoch(text: str, detail: Detail) -> str:
        wanted = f"a time since 1970 such as {example}"
        try:
            number = _number(text, wanted)
        except Misfit as misfit:
            raise Misfit(Lack.BAD_TIME, misfit.sentence) from None
        instant = int(number * factor)
        if not 0 <= instant <= _LATEST:
            raise Misfit(Lack.BAD_TIME, f"seen {shown(text)}, wanted {wanted}")
        return format_instant(instant)

    return epoch


_milliseconds = _epoch(1_000)


def _dotnet(text: str, detail: Detail) -> str:
    """Read ``/Date(1672408275000)/``: milliseconds since 1970, UTC; an offset behind them says only how to show it."""
    inside = text.removeprefix("/Date(").removesuffix(")/")
    if len(inside) + len("/Date()/") != len(text):
        raise Misfit(Lack.BAD_TIME, f"seen {shown(text)}, wanted a time such as /Date(1672408275000)/")
    digits = inside[:-5] if inside[-5:-4] in ("+", "-") and len(inside) > 5 else inside
    return _milliseconds(digits, detail)


_CONVERSIONS: Final[Mapping[As, Callable[[str, Detail], str]]] = {
    As.TEXT: lambda text, detail: text,
    As.DECIMAL: _decimal,
    As.DECIMAL_COMMA: _decimal_comma,
    As.MINOR_UNITS: _minor_units,
    As.MINUTES: _minutes,
    As.INSTANT: _instant,
    As.LOCAL: _local,
    As.EPOCH_S: _epoch(1),
    As.EPOCH_MS: _milliseconds,
    As.EPOCH_US: _epoch(1_000_000),
    As.DOTNET: _dotnet,
}
