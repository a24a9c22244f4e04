"""What is known of interned values without asking the store: one byte a value and process, kept in memory."""

from __future__ import annotations

from enum import IntFlag

_PAGE = 4096


class Flag(IntFlag):
    """Why a value needs a closer look when a case that has it is derived."""

    STANDING = 1  # events stand at it
    PASSES = 2  # it hands cases on to another carrier
    EDGES = 4  # an alias with ties to aliases, or holds or relations of its own
    SHARED = 8  # an alias tied to more than one name
    RECEIVES = 16  # a carrier that is handed cases by another
    PROVISIONAL = 32  # a provisional case is called after it
    TIED = 64  # an alias that is tied to a name


class Flags:
    """A sparse array of bytes by (process, value); a missing entry is 0."""

    def __init__(self) -> None:
        self._pages: dict[tuple[int, int], bytearray] = {}

    def get(self, process: int, value: int) -> int:
        page = self._pages.get((process, value // _PAGE))
        return 0 if page is None else page[value % _PAGE]

    def set(self, process: int, value: int, flag: int) -> None:
        at = (process, value // _PAGE)
        page = self._pages.get(at)
        if page is None:
            page = self._pages[at] = bytearray(_PAGE)
        page[value % _PAGE] |= flag

    def clear(self, process: int, value: int, flag: int) -> None:
        page = self._pages.get((process, value // _PAGE))
        if page is not None:
            page[value % _PAGE] &= ~flag & 0xFF
