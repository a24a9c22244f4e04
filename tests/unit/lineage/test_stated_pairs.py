"""The ends of stated pairs: one key each, whatever stands beside it and in whatever order."""

from __future__ import annotations

import pytest

from collector.business import read_relations
from lineage.links import KeyReader, StatedPair
from throughline.core.event import Event
from throughline.core.key import KeyType

READER = KeyReader(
    [KeyType("time_entry"), KeyType("invoice", scope=("legal_entity",)), KeyType("line", scope=("invoice",))]
)
TO = {"time_entry": "TE-1"}


def corrected(end: dict[str, str]) -> Event:
    relations = read_relations([{"from": end, "to": TO}])
    return Event("/erp", "e1", "invoice.corrected", 1, 1, b"", False, {"legal_entity": "DE01"}, relations)


@pytest.mark.parametrize(
    ("end", "key_type", "key"),
    [
        ({"invoice": "I1"}, "invoice", "invoice\x1fI1\x1fDE01"),
        ({"invoice": "I1", "legal_entity": "AE01"}, "invoice", "invoice\x1fI1\x1fAE01"),
        ({"invoice": "I1", "legal_entity": "AE01", "practice": "cloud"}, "invoice", "invoice\x1fI1\x1fAE01"),
        ({"time_entry": "TE-2", "aisle": "7"}, "time_entry", "time_entry\x1fTE-2"),
        ({"line": "L1", "invoice": "I1"}, "line", "line\x1fL1\x1fI1"),
    ],
)
def test_the_key_of_an_end_is_the_one_that_the_rest_of_it_scopes(end: dict[str, str], key_type: str, key: str) -> None:
    for written in (end, dict(reversed(end.items()))):
        keys = READER.read(corrected(written))
        assert keys.stated == (StatedPair(key_type, key, "time_entry", "time_entry\x1fTE-1"),)
        assert not keys.ambiguous


def test_an_end_with_two_keys_is_none_of_them_and_counted() -> None:
    for end in ({"invoice": "I1", "time_entry": "TE-2"}, {"time_entry": "TE-2", "invoice": "I1"}):
        keys = READER.read(corrected(end))
        assert keys.ambiguous
        assert (keys.stated, keys.sides) == ((), {})


def test_an_end_of_a_type_that_no_process_knows_states_no_pair() -> None:
    keys = READER.read(corrected({"parcel": "P1", "depot": "D1"}))
    assert (keys.stated, keys.ambiguous) == ((), False)
    assert list(keys.sides) == ["time_entry"]


def test_the_order_in_which_an_end_was_written_is_no_content() -> None:
    end = {"legal_entity": "AE01", "invoice": "I1"}
    assert corrected(end).relations == corrected(dict(reversed(end.items()))).relations
