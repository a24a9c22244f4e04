"""gzip bodies inflate up to a ceiling, and no further."""

from __future__ import annotations

import gzip

import pytest

from collector.inflate import inflate
from collector.reading import Refusal, Refused

PLAIN = b"throughline " * 1_000
PACKED = gzip.compress(PLAIN, mtime=0)  # the same in every process that collects these tests


def refusal(body: bytes, most: int = 1_000_000) -> Refusal:
    with pytest.raises(Refused) as refused:
        inflate(body, most)
    return refused.value.refusal


def test_it_inflates_one_member_or_several() -> None:
    assert inflate(gzip.compress(PLAIN), len(PLAIN)) == PLAIN
    assert inflate(gzip.compress(PLAIN) + gzip.compress(b"") + gzip.compress(b"end"), 1_000_000) == PLAIN + b"end"
    assert inflate(b"", 10) == b""


def test_it_stops_at_the_ceiling_in_one_member_and_over_several() -> None:
    assert refusal(gzip.compress(PLAIN), len(PLAIN) - 1) is Refusal.TOO_LARGE
    assert refusal(gzip.compress(bytes(50_000_000)), 1_000_000) is Refusal.TOO_LARGE
    assert refusal(gzip.compress(bytes(600_000)) * 2, 1_000_000) is Refusal.TOO_LARGE


@pytest.mark.parametrize(
    "body",
    [
        PACKED[:-1],
        PACKED[:20],
        PACKED + b"rest",
        PACKED[:-8] + b"checksum",
        b"no gzip at all, just text",
        b"\x1f\x8b",
    ],
)
def test_what_is_no_whole_gzip_is_malformed(body: bytes) -> None:
    assert refusal(body) is Refusal.MALFORMED


def test_gzip_in_gzip_is_undone_once() -> None:
    assert inflate(gzip.compress(gzip.compress(PLAIN)), 1_000_000)[:2] == b"\x1f\x8b"
