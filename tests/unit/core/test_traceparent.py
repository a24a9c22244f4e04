"""The trace that a header names."""

from __future__ import annotations

import pytest

from throughline.core.traceparent import trace_of

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"


@pytest.mark.parametrize("text", [f"00-{TRACE}-{SPAN}-01", f"01-{TRACE}-{SPAN}-00-later"])
def test_a_header_names_a_trace(text: str) -> None:
    assert trace_of(text) == TRACE


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        f"00-{'0' * 32}-{SPAN}-01",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE.upper()}-{SPAN}-01",
    ],
)
def test_what_is_none_names_none(text: str) -> None:
    assert trace_of(text) is None
