"""The engine's limits as settings have them."""

from __future__ import annotations

from lineage.engine import Limits
from lineage.journal_retention import JournalLimits
from throughline.core.instants import DAY, HOUR
from throughline.core.settings import Settings


def limits_of(settings: Settings) -> Limits:
    """Return what the engine and readers of its store are limited by."""
    return Limits(
        orphan_time=round(settings.orphan_hours * HOUR),
        bulk_limit=settings.bulk_limit,
        fan_out_limit=settings.fan_out_limit,
        keep=round(settings.keep_days * DAY),
    )


def journal_limits_of(settings: Settings) -> JournalLimits:
    """Return how much of the journal is kept."""
    return JournalLimits(round(settings.journal_days * DAY), settings.journal_bytes)
