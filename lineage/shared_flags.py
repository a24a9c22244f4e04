"""Flags of an engine that is not alone: read from the store under its locks, and forgotten with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lineage.flags import EDGE_FLAGS, PAGE_BITS, Flag, Flags, Page, Pages
from lineage.locks import Locks
from lineage.process import Process
from lineage.store import Edge, Role, StoreReader


class SharedFlags(Flags):
    """The flags of what is locked; of another value they are read where no other engine works, else it is refused."""

    def __init__(self, store: StoreReader, locks: Locks, processes: Mapping[int, Process]) -> None:
        super().__init__()
        self._store = store
        self._locks = locks
        self._processes = processes
        self._bits: dict[tuple[int, int], int] = {}
        self._loaded: set[int] = set()

    def begin(self) -> None:
        """Forget all, and read the flags of what is locked now."""
        self._bits = {}
        self._loaded = set()
        self.load(self._locks.values)

    def load(self, values: Iterable[int]) -> None:
        """Read the flags of values, as the stored links and events say."""
        new = [value for value in values if value not in self._loaded]
        if not new:
            return
        self._loaded.update(new)
        store, some = self._store, self._store.array(new)
        wanted = "IN (SELECT value FROM json_each(?))"
        for value, process in store.rows(f"SELECT DISTINCT value, process FROM posted WHERE value {wanted}", some):
            self._put(process, value, Flag.STANDING)
        for end, side in (("a", 0), ("b", 1)):
            for process, kind, value in store.rows(
                f"SELECT DISTINCT process, kind, {end} FROM edge"
                f" WHERE process IN (SELECT value FROM json_each(?)) AND kind IN (1, 2, 3, 4) AND {end} {wanted}",
                store.array(list(self._processes)),
                some,
            ):
                self._put(process, value, EDGE_FLAGS[Edge(kind)][side])
        for value, process, count in store.rows(
            f"SELECT value, process, count(*) FROM near WHERE value {wanted} AND role = ? GROUP BY value, process",
            some,
            int(Role.TIE),
        ):
            self._put(process, value, Flag.TIED | Flag.SHARED * (count > 1))
        self._load_provisional(new)

    def _load_provisional(self, values: Iterable[int]) -> None:
        """Mark the aliases that cases are called after."""
        texts = {text: value for value, text in self._store.value_texts(values).items()}
        for process, definition in self._processes.items():
            aliases = [text for text in texts if text.partition("\x1f")[0] in definition.aliases]
            if not aliases:
                continue
            for (name,) in self._store.rows(
                "SELECT name FROM cases WHERE process = ? AND name IN (SELECT value FROM json_each(?))",
                process,
                self._store.array(aliases),
            ):
                self._put(process, texts[name], Flag.PROVISIONAL)

    def _put(self, process: int, value: int, flag: int) -> None:
        self._bits[process, value] = self._bits.get((process, value), 0) | flag

    def pages(self, process: int) -> Pages:
        return _Pages(self, process)

    def get(self, process: int, value: int) -> int:
        if value not in self._loaded:
            self._locks.require((value,))
            self.load((value,))
        return self._bits.get((process, value), 0)

    def set(self, process: int, value: int, flag: int) -> None:
        self._bits[process, value] = self.get(process, value) | flag

    def clear(self, process: int, value: int, flag: int) -> None:
        self._bits[process, value] = self.get(process, value) & ~flag & 0xFFFF


class _Pages:
    def __init__(self, flags: SharedFlags, process: int) -> None:
        self._flags = flags
        self._process = process

    def get(self, number: int, /) -> Page:
        return _Page(self._flags, self._process, number << PAGE_BITS)


class _Page:
    def __init__(self, flags: SharedFlags, process: int, first: int) -> None:
        self._flags = flags
        self._process = process
        self._first = first

    def __getitem__(self, at: int, /) -> int:
        return self._flags.get(self._process, self._first | at)
