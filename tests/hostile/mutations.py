"""Bytes that were something once: cut, flipped, repeated, spliced, as a bad network or a bad sender leaves them."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

# What breaks readers: numbers and texts at their limits, in JSON and as protobuf.
PIECES = (
    *(b"\0", b"\xff", b"\x80" * 11, b"\xff" * 10, b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\x0a\x00", b"\x0b", b"\x0c"),
    *(b"[" * 70, b'{"a":' * 70, b"]", b"}", b'"', b"\\", b"\\ud800", b"null", b"true", b"{}", b"[]", b'""', b","),
    *(b"1e999999999", b"-0", b"1e-999999999", b"9" * 30, b"NaN", b"18446744073709551616", b"0.1", b"-1"),
    *(b"2062-01-01T00:00:00Z", b"0000-01-01T00:00:00Z", b"2016-12-31T23:59:60Z", b"+99:99", b"throughline.x"),
    *(b"<!DOCTYPE a [<!ENTITY b 'c'>]>", b"<", b"&b;", b"\r\n", b";", b"]]>"),
)

_PLACE = st.floats(0, 1, exclude_max=True)
_CHANGE = st.one_of(
    st.tuples(st.just("put"), _PLACE, st.sampled_from(PIECES) | st.binary(max_size=8)),
    st.tuples(st.just("over"), _PLACE, st.sampled_from(PIECES) | st.binary(min_size=1, max_size=4)),
    st.tuples(st.just("cut"), _PLACE, st.integers(1, 40)),
    st.tuples(st.just("twice"), _PLACE, st.integers(1, 200)),
    st.tuples(st.just("end"), _PLACE, st.just(0)),
)


def mutated(seeds: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """Return what one of the seeds becomes by up to six changes; now and then anything at all."""
    return st.builds(_changed, st.sampled_from(seeds), st.lists(_CHANGE, max_size=6)) | st.binary(max_size=200)


def _changed(content: bytes, changes: list[tuple[str, float, bytes | int]]) -> bytes:
    for kind, place, what in changes:
        at = int(place * (len(content) + 1))
        if isinstance(what, bytes):
            content = content[:at] + what + content[at + (len(what) if kind == "over" else 0) :]
        elif kind == "cut":
            content = content[:at] + content[at + what :]
        elif kind == "twice":
            content = content[: at + what] + content[at:]
        else:
            content = content[:at]
    return content
