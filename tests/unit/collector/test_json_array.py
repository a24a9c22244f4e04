"""An array is split by brackets and quotes, whatever its elements hold."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.json_array import split_array

json_values = st.recursive(
    st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)


@given(st.lists(json_values, max_size=6))
def test_it_splits_any_array_into_its_elements(values: list[object]) -> None:
    elements = split_array(json.dumps(values, indent=1).encode())
    assert elements is not None
    assert [json.loads(element) for element in elements] == values


@pytest.mark.parametrize("body", [b"", b"{}", b"[", b"[}", b"[[]", b"[]]", b'["a]', b"[][]", b"[{]}"])
def test_what_does_not_match_is_no_array(body: bytes) -> None:
    assert split_array(body) is None


@given(st.binary(max_size=40))
def test_no_body_raises(body: bytes) -> None:
    split_array(b"[" + body + b"]")
