"""What is known of interned values without asking the store: two bytes a value and process, kept in memory."""

from __future__ import annotations

from array import array
from typing import Final, Protocol

from lineage.store import Edge

PAGE_BITS: Final = 12
PAGE_MASK: Final = (1 << PAGE_BITS) - 1


class Page(Protocol):
    def __getitem__(self, at: int, /) -> int: ...


class Pages(Protocol):
    def get(self, number: int, /) -> Page | None: ...


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
        self._pages: dict[int, dict[int, array[int]]] = {}

    def pages(self, process: int) -> Pages:
        """Return the bits of one process's values, for who asks for very many: at ``>> PAGE_BITS``, ``& PAGE_MASK``."""
        return self._of(process)

    def _of(self, process: int) -> dict[int, array[int]]:
        pages = self._pages.get(process)
        if pages is None:
            pages = self._pages[process] = {}
        return pages

    def get(self, process: int, value: int) -> int:
        page = self._of(process).get(value >> PAGE_BITS)
        return 0 if page is None else page[value & PAGE_MASK]

    def set(self, process: int, value: int, flag: int) -> None:
        pages = self._of(process)
        page = pages.get(value >> PAGE_BITS)
        if page is None:
            page = pages[value >> PAGE_BITS] = array("H", bytes(2 << PAGE_BITS))
        page[value & PAGE_MASK] |= flag

    def clear(self, process: int, value: int, flag: int) -> None:
        page = self._of(process).get(value >> PAGE_BITS)
        if page is not None:
            page[value & PAGE_MASK] &= ~flag & 0xFFFF


# The flags that an edge sets at its two ends.
EDGE_FLAGS: Final = {
    Edge.TIE: (Flag.LINKED, Flag.LINKED),
    Edge.HOLD: (Flag.OWNS, Flag.ALIAS_HELD),
    Edge.PASS: (Flag.PASSES, Flag.PASSED_TO),
    Edge.RELATION: (Flag.OWNS, 0),
}
