"""Spans and log records as mappings see them: plain values, times as RFC 3339, ids in hex."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from throughline.core.instants import format_instant
from throughline.core.mappings.folder import Mappings
from throughline.core.mappings.form import Input
from throughline.core.number import scalar_text

_STATUS: Final = {0: "unset", 1: "ok", 2: "error"}
_ATTRIBUTES: Final = "attributes"

Plain = Callable[[Any], Any]


class Screen:
    """Tells at once of most spans or log records that no mapping is for them, so that they cost no more."""

    def __init__(self, mappings: Mappings, input: Input, own: str, plain: Plain) -> None:
        """``own`` is the member that names a record's type by itself; ``plain`` reads an attribute."""
        self.own: frozenset[str] = frozenset()
        self._attributes: list[tuple[str, frozenset[str]]] = []
        self._anything = False
        self._plain = plain
        for segments, types in mappings.places(input):
            if segments == (own,):
                self.own |= types
            elif len(segments) == 2 and segments[0] == _ATTRIBUTES and isinstance(segments[1], str):
                self._attributes.append((segments[1], types))
            else:
                self._anything = True
        self.looks_further = self._anything or bool(self._attributes)
        self.wanted = self.looks_further or bool(self.own)

    def lets_through(self, name: str, attributes: Any) -> bool:
        """Tell whether a mapping may be for a record of this name with these attributes."""
        return name in self.own or (self.looks_further and self._finds(attributes))

    def _finds(self, attributes: Any) -> bool:
        return self._anything or any(
            key in attributes and scalar_text(self._plain(attributes[key])) in types for key, types in self._attributes
        )


def span_input(span: Any, resource: Any, scope: Any, plain: Plain) -> dict[str, Any]:
    """Return a span as a mapping sees it."""
    return {
        "name": span.name,
        "kind": span.kind,
        "start": _time(span.start_time_unix_nano),
        "end": _time(span.end_time_unix_nano),
        "status": {"code": _STATUS.get(span.status.code, "unset"), "message": span.status.message or None},
        "attributes": _attributes(span.attributes, plain),
        "events": [
            {
                "name": event.name,
                "time": _time(event.time_unix_nano),
                "attributes": _attributes(event.attributes, plain),
            }
            for event in span.events
        ],
        "trace_id": span.trace_id.hex(),
        "span_id": span.span_id.hex(),
        "parent_span_id": span.parent_span_id.hex() or None,
        "resource": _attributes(resource.attributes, plain),
        "scope": {"name": scope.name, "version": scope.version},
    }


def log_input(record: Any, name: str | None, resource: Any, scope: Any, plain: Plain) -> dict[str, Any]:
    """Return a log record as a mapping sees it; ``name`` is its event's."""
    return {
        "event_name": name or None,
        "time": _time(record.time_unix_nano),
        "observed_time": _time(record.observed_time_unix_nano),
        "severity": record.severity_text or None,
        "severity_number": record.severity_number,
        "body": plain(record.body),
        "attributes": _attributes(record.attributes, plain),
        "trace_id": record.trace_id.hex() or None,
        "span_id": record.span_id.hex() or None,
        "resource": _attributes(resource.attributes, plain),
        "scope": {"name": scope.name, "version": scope.version},
    }


def _attributes(attributes: Any, plain: Plain) -> dict[str, Any]:
    return {name: plain(attributes[name]) for name in attributes}


def _time(nanoseconds: int) -> str | None:
    return format_instant(nanoseconds // 1000) if nanoseconds else None
