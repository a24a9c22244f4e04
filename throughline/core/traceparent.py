"""The W3C header ``traceparent``: in which trace a request or an event belongs, and to which span."""

from __future__ import annotations

import re

TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}(-.*)?")
"""Its groups are the trace's and the span's id (W3C Trace Context, section 3.2)."""


def trace_of(traceparent: str) -> str | None:
    """Return the trace's id, None where the header names none."""
    found = TRACEPARENT.fullmatch(traceparent)
    return found[1] if found else None
