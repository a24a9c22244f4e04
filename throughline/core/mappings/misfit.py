"""What keeps an input from becoming an event, in a closed list; doors set it aside under the same word."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

_LONGEST_SHOWN = 64


class Lack(StrEnum):
    """Why a value cannot be had."""

    MISSING = "missing_identity"
    NO_TIME = "no_time"
    BAD_TIME = "bad_time"
    BAD_NUMBER = "bad_number"
    BAD_FIELD = "bad_field"
    TOO_LARGE = "too_large"
    FAILED = "mapping_failed"  # an expression without an answer, a word that its table lacks


class Misfit(Exception):
    """Raised where a value cannot be had; ends as a ``Spoilt`` of its event."""

    def __init__(self, lack: Lack, sentence: str) -> None:
        self.lack = lack
        self.sentence = sentence
        super().__init__(sentence)


def shown(value: object) -> str:
    """Return a value as a sentence may show it: short, on one line."""
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list):
        return "an array"
    text = repr(str(value)) if isinstance(value, str) else repr(value)
    return text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "…"
