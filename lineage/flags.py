"""What is known of interned values without asking the store: two bytes a value and process, kept in memory."""

from __future__ import annotations

from array import array
from typing import Final

_PAGE = 4096


class Flag:
    """Why a value needs a closer look when a case that has it is derived; plain bits, since they are asked so often."""

    STANDING: Final = 1  # events stand at it
    PASSES: Final = 2  # it hands cases on to another carrier
    PASSED_TO: Final = 4  # a carrier that is handed cases by another
    OWNS: Final = 8  # an alias with holds or relations of its own
    ALIAS_HELD: Final = 16  # a carrier that an alias holds
    LINKED: Final = 32  # an alias tied to an alias
    SHARED: Final = 64  # an alias tied to more than one name
    TIED: Final = 128  # an alias that is tied to a name
    PROVISIONAL: Final = 256  # a provisional case is called after it


class Flags:
    """A sparse array of bits by (process, value); a missing entry is 0."""

    def __init__(self) -> None:
        self._pages: dict[tuple[int, int], array[int]] = {}

    def get(self, process: int, value: int) -> int:
        page = self._pages.get((process, value // _PAGE))
        return 0 if page is None else page[value % _PAGE]

    def set(self, process: int, value: int, flag: int) -> None:
        at = (process, value // _PAGE)
        page = self._pages.get(at)
        if page is None:
            page = self._pages[at] = array("H", bytes(2 * _PAGE))
        page[value % _PAGE] |= flag

    def clear(self, process: int, value: int, flag: int) -> None:
        page = self._pages.get((process, value // _PAGE))
        if page is not None:
            page[value % _PAGE] &= ~flag & 0xFFFF
