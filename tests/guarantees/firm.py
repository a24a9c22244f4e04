"""The firm of tests/guarantees/estate.yaml, and what happens in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from throughline.core.estate import load_estate
from throughline.core.event import Event, Failure, FieldValue, content_digest
from throughline.core.instants import MINUTE

FOLDER = Path(__file__).parent
ESTATE = load_estate(FOLDER)
PSA, ERP, ARCHIVE, FPNA = "/firm/psa", "/firm/erp-emea", "/firm/erp-emea-archive", "/firm/fpna"


def happened(
    event_id: str,
    kind: str,
    at: int,
    source: str = PSA,
    received: int | None = None,
    failed: str | None = None,
    more: dict[str, Any] | None = None,
    **fields: FieldValue,
) -> Event:
    """Return an event, received a minute after it happened; ``failed`` is the category, ``more`` has other parts."""
    event = Event(
        source=source,
        id=event_id,
        type=kind,
        time=at,
        received=at + MINUTE if received is None else received,
        digest=b"",
        failed=failed is not None,
        fields=fields,
        error=None if failed is None else Failure(failed),
        **(more or {}),
    )
    return msgspec.structs.replace(event, digest=content_digest(event))
