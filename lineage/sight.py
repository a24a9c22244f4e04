"""What we can see: up to when the sources that report a step are known to have told everything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from lineage.fact import Watermark
from throughline.core.estate import Estate, ReportingSource
from throughline.core.estate_file import Mode

UNDECLARED = Watermark(None, None, None, False)


class Heard(NamedTuple):
    """What came from one source. ``receipt``: of its last event, or of its last heartbeat where it is polled.

    ``until``: up to when its last heartbeat says that it has reported everything. Microseconds; None: never.
    """

    receipt: int | None
    until: int | None = None


NOTHING = Heard(None)


def watermark_of(source: ReportingSource, heard: Heard, now: int) -> Watermark:
    """Return one source's watermark: a push source's last receipt, a polled one's ``until``."""
    at = heard.until if source.mode is Mode.POLL else heard.receipt
    silent = heard.receipt is not None and source.every is not None and now > heard.receipt + source.every
    blind_since = (heard.receipt or 0) + (source.every or 0) if silent else None
    return Watermark(at, source.source, blind_since, True)


def blind_sources(sources: Iterable[ReportingSource], heard: Mapping[str, Heard], now: int) -> list[str]:
    """Return the names of the sources that are silent for longer than their cadence."""
    return [
        source.source
        for source in sources
        if watermark_of(source, heard.get(source.source, NOTHING), now).blind_since is not None
    ]


def unheard_sources(sources: Iterable[ReportingSource], heard: Mapping[str, Heard], now: int) -> list[str]:
    """Return the names of the sources that have never told up to when they have reported everything."""
    return [
        source.source for source in sources if watermark_of(source, heard.get(source.source, NOTHING), now).at is None
    ]


class Reporting:
    """Which declared sources report for a role and a legal entity; built once for an estate."""

    def __init__(self, estate: Estate) -> None:
        self.sources = estate.sources
        self._found: dict[tuple[tuple[str, ...], str | None], tuple[ReportingSource, ...]] = {}
        self._entities = frozenset(entity for source in self.sources for entity in source.legal_entities)

    def sources_of(self, roles: tuple[str, ...], legal_entity: str | None) -> tuple[ReportingSource, ...]:
        """Return the sources that report for all these roles; none where one of the roles has none.

        Any source of the role may report for a case whose legal entity is unknown.
        """
        if legal_entity is not None and legal_entity not in self._entities:
            legal_entity = ""  # named by no source: all such entities are served alike
        key = (roles, legal_entity)
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = self._find(roles, legal_entity)
        return found

    def _find(self, roles: tuple[str, ...], legal_entity: str | None) -> tuple[ReportingSource, ...]:
        found: list[ReportingSource] = []
        for role in roles:
            reporting = [source for source in self.sources if source.role == role and _covers(source, legal_entity)]
            if not reporting:
                return ()
            found += reporting
        return tuple(found)


def _covers(source: ReportingSource, legal_entity: str | None) -> bool:
    return legal_entity is None or not source.legal_entities or legal_entity in source.legal_entities


class SourceSight:
    """What is seen of the firm's sources at one moment; make a new one when a watermark or ``now`` moves."""

    def __init__(self, reporting: Reporting, heard: Mapping[str, Heard], now: int) -> None:
        self._reporting = reporting
        self._heard = heard
        self._now = now
        self._found: dict[tuple[tuple[str, ...], str | None], Watermark] = {}

    def watermark(self, roles: tuple[str, ...], legal_entity: str | None) -> Watermark:
        """Return the lowest watermark of the sources that report for these roles; ties by the source's name.

        A source that never reported is the lowest of all.
        """
        key = (roles, legal_entity)
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = self._lowest(self._reporting.sources_of(roles, legal_entity))
        return found

    def _lowest(self, sources: tuple[ReportingSource, ...]) -> Watermark:
        marks = [watermark_of(source, self._heard.get(source.source, NOTHING), self._now) for source in sources]
        return min(marks, key=_height, default=UNDECLARED)


def _height(mark: Watermark) -> tuple[bool, int, str]:
    return mark.at is not None, mark.at or 0, mark.source or ""
