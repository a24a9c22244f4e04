"""Backup of a data folder while its serve runs, and restoring it: each file one state, checked by digest.

The store is copied before the statements and the journal, so that what it has folded is in them: a restored folder
goes on like one whose machine stopped, and folds the rest from its journal.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from hashlib import file_digest
from pathlib import Path
from typing import NamedTuple

import msgspec

from lineage.generations import STORE_FILE, store_path
from throughline.core.database import failures_named, open_reader
from throughline.core.decisions import FILE_NAME as DECISIONS_FILE
from throughline.core.errors import LastingError, StartRefused
from throughline.core.journal import JOURNAL_FILE

MANIFEST = "backup.json"
FORM = "throughline-backup/1"
_PAGES_AT_ONCE = 2_000


class Copied(msgspec.Struct, frozen=True):
    """One file of a backup, with its bytes and their SHA-256 digest in hex."""

    file: str
    bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """What a backup holds, in ``backup.json``; ``at`` is RFC 3339, the versions are those of who made it."""

    form: str
    at: str
    version: str
    files: list[Copied]


class BackupDamaged(LastingError):
    """A backup is not what its manifest says; nothing of it was restored."""


class Progress(NamedTuple):
    """How far one file is, in bytes."""

    file: str
    done: int
    of: int


Tell = Callable[[Progress], None]


def back_up(data: Path, folder: Path, at: str, version: str, tell: Tell) -> Manifest:
    """Copy a data folder into ``folder``, which is made; complete and durable once this returns.

    Raises StartRefused where there is nothing to copy or something stands there already, and StoreUnavailable or
    OSError where a file cannot be read or written; then nothing is left of it.
    """
    sources = {name: path for name, path in _sources(data).items() if path.is_file()}
    if not sources:
        raise StartRefused(f"there is no data in {data}: say where it is with --data DIR")
    _refuse_taken(folder)
    draft = folder.with_name(f".{folder.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        files: list[Copied] = []
        for name, path in sources.items():
            _copy_database(path, draft / name, tell)
            files.append(_measured(draft / name))
        manifest = Manifest(FORM, at, version, files)
        (draft / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")
        _sync(draft / MANIFEST)
        _sync(draft)
        folder.parent.mkdir(parents=True, exist_ok=True)
        if folder.is_dir():
            folder.rmdir()
        draft.rename(folder)
        _sync(folder.parent)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return manifest


def check(folder: Path) -> Manifest:
    """Return the manifest of a backup whose files are as it says. Raises BackupDamaged, with every fault."""
    try:
        manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except FileNotFoundError as error:
        raise BackupDamaged(f"{folder} is no backup: there is no {MANIFEST} in it") from error
    except msgspec.MsgspecError as error:
        raise BackupDamaged(f"{folder / MANIFEST} cannot be read: {error}") from error
    if manifest.form != FORM:
        raise BackupDamaged(f"{folder / MANIFEST}: seen {manifest.form}, wanted {FORM}")
    faults = [fault for each in manifest.files if (fault := _fault(folder, each))]
    if faults:
        raise BackupDamaged("\n".join(faults))
    return manifest


def restore(folder: Path, data: Path, tell: Tell) -> Manifest:
    """Check a backup and copy it into a data folder that holds no data yet; durable once this returns.

    Raises BackupDamaged, StartRefused where there is data, or OSError; then no data stands in the folder.
    """
    manifest = check(folder)
    taken = [path.name for path in _sources(data).values() if path.exists()]
    if taken:
        raise StartRefused(f"{data} holds data already ({', '.join(taken)}): restore into another folder, or move it")
    data.mkdir(parents=True, exist_ok=True)
    try:
        for each in manifest.files:
            tell(Progress(each.file, 0, each.bytes))
            shutil.copyfile(folder / each.file, data / each.file)
            _sync(data / each.file)
            tell(Progress(each.file, each.bytes, each.bytes))
            fault = _fault(data, each)
            if fault:
                raise BackupDamaged(fault)
        _sync(data)
    except BaseException:
        for each in manifest.files:
            (data / each.file).unlink(missing_ok=True)
        raise
    return manifest


def _sources(data: Path) -> dict[str, Path]:
    """Return what is copied, in this order, by the name that it gets."""
    return {
        STORE_FILE: store_path(data),
        DECISIONS_FILE: data / DECISIONS_FILE,
        JOURNAL_FILE: data / JOURNAL_FILE,
    }


def _refuse_taken(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise StartRefused(f"{folder} is there already: give a folder that is not, or an empty one")


def _copy_database(source: Path, target: Path, tell: Tell) -> None:
    """Copy one state of a database beside its writer: all that was committed when it began."""

    def said(_: int, left: int, pages: int) -> None:
        tell(Progress(target.name, (pages - left) * page, pages * page))

    with failures_named(source), closing(open_reader(source)) as reader, closing(sqlite3.connect(target)) as copy:
        (page,) = reader.execute("PRAGMA page_size").fetchone()
        reader.execute("BEGIN")
        reader.execute("SELECT 1 FROM sqlite_schema").fetchone()  # from here on it is one state
        reader.backup(copy, pages=_PAGES_AT_ONCE, progress=said)
        copy.execute("PRAGMA journal_mode = DELETE")
    _sync(target)


def _measured(path: Path) -> Copied:
    with path.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    return Copied(path.name, path.stat().st_size, digest)


def _fault(folder: Path, wanted: Copied) -> str | None:
    path = folder / wanted.file
    if Path(wanted.file).name != wanted.file or not path.is_file():
        return f"{path}: not there, wanted {wanted.bytes:,} bytes"
    seen = _measured(path)
    if seen == wanted:
        return None
    return f"{path}: seen {seen.bytes:,} bytes, SHA-256 {seen.sha256}; wanted {wanted.bytes:,} bytes, {wanted.sha256}"


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
