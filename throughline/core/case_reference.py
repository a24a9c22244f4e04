"""What leads to a case: the words by which any part asks for it."""

from __future__ import annotations

from msgspec import Struct


class CaseReference(Struct, frozen=True):
    """A case of some process, by what it is asked for with."""

    process: str
    key_type: str
    name: str
    scope: dict[str, str]
