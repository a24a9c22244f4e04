"""Keys: what is one, and what is none."""

from __future__ import annotations

import pytest

from throughline.core.key import MOST_BYTES, KeyType, scope_of
from throughline.core.text import has_control_characters

PLAIN = KeyType("time_entry")


@pytest.mark.parametrize(
    "text", ["TE\u00a088", "客户\u3000一", "a\u200cb", "soft\u00adhyphen", "a\u202eb", "🧾\u200d🧾"]
)
def test_a_text_in_any_script_is_a_key(text: str) -> None:
    assert PLAIN.value(text) == text


@pytest.mark.parametrize("text", ["a\x1fb", "a\x00b", "a\tb", "a\nb", "a\x7fb", "a\x85b", "a\ud83d"])
def test_a_text_with_a_control_character_or_half_a_character_is_no_key(text: str) -> None:
    assert has_control_characters(text)
    assert PLAIN.value(text) is None


def test_white_space_around_a_key_is_cut_off() -> None:
    assert PLAIN.value("\u00a0 TE-88\t\n") == "TE-88"


def test_what_no_index_of_a_database_takes_is_no_key() -> None:
    assert PLAIN.value("x" * MOST_BYTES) == "x" * MOST_BYTES
    assert PLAIN.value("x" * (MOST_BYTES + 1)) is None
    assert PLAIN.value("客" * (MOST_BYTES // 3 + 1)) is None
    assert KeyType("time_entry", normalise=("upper",)).value("ΐ" * (MOST_BYTES // 2)) is None


def test_scope_values_are_keys_that_are_no_longer_together_than_one() -> None:
    half = "x" * (MOST_BYTES // 2)
    assert scope_of([f" {half} ", half]) == (half, half)
    assert scope_of([half, half + "x"]) is None
    assert scope_of(["DE01", "n/a"]) is None
    assert scope_of(["DE01", None]) is None
