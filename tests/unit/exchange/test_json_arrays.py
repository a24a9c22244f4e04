"""Elements of arrays are found wherever a document is cut into pieces."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from throughline.exchange.entry import LogUnreadable
from throughline.exchange.json_arrays import array_elements

_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), _VALUES, max_size=5), st.integers(1, 9), st.sampled_from([None, 1]))
def test_the_elements_are_those_of_a_whole_reader(document: dict[str, Any], size: int, indent: int | None) -> None:
    text = json.dumps(document, indent=indent, ensure_ascii=False).encode("utf-8", "surrogatepass")
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    found = [
        (member, json.loads(element.decode("utf-8", "surrogatepass"))) for member, element in array_elements(pieces)
    ]
    assert found == [(member, each) for member, value in document.items() if isinstance(value, list) for each in value]


@pytest.mark.parametrize("text", [b"", b"[1]", b'{"events": [{"id": "1"}', b'{"events": ["never ended'])
def test_what_is_no_whole_object_is_refused(text: bytes) -> None:
    with pytest.raises(LogUnreadable):
        list(array_elements([text]))
