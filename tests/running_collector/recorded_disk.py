"""A disk as a record of system calls shows it: what it would hold if the power went at any moment of that record.

Only what an fsync or fdatasync completed for is certain: of a file's content by a sync of the file, of its name by a
sync of its folder. The rest may be there or not, in any part; ``Disk.after_power_cut`` makes one such case.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random
from typing import NamedTuple

CALLS = (
    "openat,pwrite64,write,writev,sendto,sendmsg,fsync,fdatasync,ftruncate,unlink,unlinkat,rename,renameat,renameat2,"
    "fallocate,pwritev,pwritev2,link,linkat,copy_file_range,sendfile,truncate"
)
STRACE = ("strace", "-f", "-qq", "-y", "-xx", "-s", "10000000", "-e", f"trace={CALLS}")

_LINE = re.compile(r"(?P<pid>\d+) +(?P<call>\w+)\((?P<rest>.*)", re.DOTALL)
_RESUMED = re.compile(r"(?P<pid>\d+) +<\.\.\. \w+ resumed>(?P<rest>.*)", re.DOTALL)
_RESULT = re.compile(r"\)\s+= (?P<result>-?\d+)(<(?P<opened>[^>]*)>)?[^=]*$")
_DESCRIPTOR = re.compile(r"(?:\d+|AT_FDCWD)<(?P<path>[^>]*)>")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_POSITION = re.compile(rb'"position":"(j\d+)"')
# They would go unseen by the model: better to fail than to trust it then.
_NOT_MODELLED = {"fallocate", "pwritev", "pwritev2", "link", "linkat", "copy_file_range", "sendfile", "truncate"}


class Call(NamedTuple):
    """One system call: its name, its arguments as strace prints them, its result; ``opened`` the path it gave."""

    name: str
    arguments: str
    result: int
    opened: str

    @property
    def path(self) -> str:
        """The path of its file descriptor."""
        found = _DESCRIPTOR.match(self.arguments)
        return _decoded(found["path"]) if found else ""

    @property
    def texts(self) -> list[bytes]:
        return [_bytes(text) for text in _TEXT.findall(self.arguments)]

    @property
    def last_number(self) -> int:
        return int(self.arguments.rpartition(",")[2])


class Moment(NamedTuple):
    """Either a call that has completed, or the start of one that hands an answer to a sender."""

    call: Call | None
    position: str | None


def moments(record: Path) -> Iterator[Moment]:
    """Read a record of strace in order: calls where they end, answers where they begin to leave."""
    open_calls: dict[str, str] = {}
    with record.open() as lines:
        for line in lines:
            resumed = _RESUMED.match(line)
            if resumed:
                line = open_calls.pop(resumed["pid"]) + resumed["rest"]
            elif "<unfinished ...>" in line:
                line = line.partition("<unfinished ...>")[0]
                open_calls[line.split()[0]] = line
                yield from _answer(line)
                continue
            else:
                yield from _answer(line)
            call = _call(line)
            if call is not None:
                yield Moment(call, None)


def _answer(line: str) -> Iterator[Moment]:
    parsed = _LINE.match(line)
    if parsed and parsed["call"] in ("write", "writev", "sendto", "sendmsg"):
        for text in _TEXT.findall(parsed["rest"]):
            for position in _POSITION.findall(_bytes(text)):
                yield Moment(None, position.decode())


def _call(line: str) -> Call | None:
    parsed, result = _LINE.match(line), _RESULT.search(line)
    if parsed is None or result is None:
        return None
    arguments = parsed["rest"][: parsed["rest"].rfind(")")]
    return Call(parsed["call"], arguments, int(result["result"]), _decoded(result["opened"] or ""))


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


def _decoded(path: str) -> str:
    return _bytes(path).decode() if path.startswith("\\x") else path


class _File:
    def __init__(self) -> None:
        self.content = bytearray()  # as synced
        self.pending: list[tuple[int, bytes | None]] = []  # (offset, bytes), or (size, None) for a truncation

    def sync(self) -> None:
        _apply(self.content, self.pending)
        self.pending = []


def _apply(content: bytearray, changes: Iterable[tuple[int, bytes | None]]) -> None:
    for at, written in changes:
        if written is None:
            del content[at:]
            content.extend(bytes(at - len(content)))
        else:
            content.extend(bytes(max(0, at - len(content))))
            content[at : at + len(written)] = written


class Disk:
    """The files of one folder, as far as they are certain, and what else has been written to them."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self._files: dict[str, _File] = {}
        self._durable_names: dict[str, _File] = {}

    def take(self, call: Call) -> None:
        """Follow one completed call; those on other folders are passed over."""
        if call.result < 0:
            return
        if call.name == "openat" and self._ours(call.opened) and "O_CREAT" in call.arguments:
            self._files.setdefault(call.opened, _File())
        elif call.name in ("fsync", "fdatasync"):
            self._sync(call.path)
        elif call.name in ("unlink", "unlinkat") and call.texts:
            self._files.pop(call.texts[0].decode(), None)
        elif call.name in ("rename", "renameat", "renameat2") and self._ours(call.texts[0].decode()):
            old, new = (text.decode() for text in call.texts[:2])
            self._files[new] = self._files.pop(old)
        elif self._ours(call.path):
            self._write(call)

    def _ours(self, path: str) -> bool:
        return path.startswith(self._folder + "/") and not path.endswith("-shm")  # made anew at each start

    def _sync(self, path: str) -> None:
        if path == self._folder:
            self._durable_names = dict(self._files)
        elif path in self._files:
            self._files[path].sync()

    def _write(self, call: Call) -> None:
        assert call.name not in _NOT_MODELLED, f"the model of the disk doesn't know {call.name}"
        file = self._files.get(call.path)
        if file is None:
            return
        if call.name == "pwrite64":
            file.pending.append((call.last_number, call.texts[-1][: call.result]))
        elif call.name == "ftruncate":
            file.pending.append((call.last_number, None))
        else:
            raise AssertionError(f"the model of the disk doesn't know {call.name} to a file")

    def after_power_cut(self, luck: Random | None, folder: Path) -> None:
        """Write to a folder what is left: with ``luck`` also some of what wasn't synced, without none of it."""
        names = self._files if luck is not None and luck.random() < 0.5 else self._durable_names
        for path, file in names.items():
            content = bytearray(file.content)
            _apply(content, [change for change in file.pending if luck is not None and luck.random() < 0.5])
            (folder / Path(path).name).write_bytes(content)
