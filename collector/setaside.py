"""Why an event is set aside: a closed list of reasons, each with a sentence of what was seen and what was wanted."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import msgspec

from throughline.core.masking import masked

_LONGEST_SHOWN: Final = 64


class Reason(StrEnum):
    """Why a door set an event aside; the same word stands in answers, metrics and the quarantine."""

    NO_EVENT = "no_event"  # the envelope is none: no object, another specversion, data that is no object
    MISSING_IDENTITY = "missing_identity"  # type, id or source
    RESERVED_TYPE = "reserved_type"  # throughline.*
    BAD_TEXT = "bad_text"  # a control character, or white space only, in type, id or source
    NO_TIME = "no_time"
    BAD_TIME = "bad_time"
    TIME_AHEAD = "time_ahead"
    BAD_NUMBER = "bad_number"
    BAD_CURRENCY = "bad_currency"
    BAD_OUTCOME = "bad_outcome"
    BAD_ERROR = "bad_error"
    BAD_RELATION = "bad_relation"
    BAD_FIELD = "bad_field"
    TOO_LARGE = "too_large"
    MAPPING_FAILED = "mapping_failed"  # an expression without an answer, a word that its table lacks
    BAD_SPAN_ID = "bad_span_id"  # a trace or span id of a wrong length, or all zeros


class SetAside(msgspec.Struct, frozen=True):
    """The decision to keep an event out, with the sentence for the sender."""

    reason: Reason
    sentence: str

    def __post_init__(self) -> None:
        """Mask what looks like a secret in the value that the sentence shows."""
        msgspec.structs.force_setattr(self, "sentence", masked(self.sentence))


class Unfit(Exception):
    """Raised inside a decoder where an event can't be taken; becomes a ``SetAside`` at its edge."""

    def __init__(self, reason: Reason, sentence: str) -> None:
        self.set_aside = SetAside(reason, sentence)
        super().__init__(sentence)


def shown(value: object) -> str:
    """Return a value as a sentence may show it: short, on one line, without control characters."""
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list):
        return "an array"
    if isinstance(value, str):
        return repr(value if len(value) <= _LONGEST_SHOWN else value[:_LONGEST_SHOWN] + "…")
    return repr(value)[:_LONGEST_SHOWN]
