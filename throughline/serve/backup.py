"""Backup of a data folder while its serve runs, and restoring it: each file one state, checked by digest.

Who follows is copied before what he follows: KPIs before the store, and that before the statements and the journal, so
that what it has folded is in them. A restored folder goes on like one whose machine stopped: it folds the rest from its
journal.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from hashlib import file_digest
from pathlib import Path
from typing import NamedTuple

import msgspec

from lineage.generations import POINTER, STORE_FILE, store_path
from lineage.logs import check_logs
from lineage.places import BESIDE, open_writing
from lineage.store import StoreReader
from lineage.upgrade import renew_identity
from throughline.core.database import DAMAGED, failures_named, open_reader, passing_cause
from throughline.core.decisions import FILE_NAME as DECISIONS_FILE
from throughline.core.decisions import DecisionReader
from throughline.core.durable import sync
from throughline.core.errors import LastingError, StartRefused, StoreDamaged, StoreUnavailable
from throughline.core.journal import JOURNAL_FILE, JournalReader
from throughline.serve.integrity import Verdict, files_of, verify_file

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

    Raises StartRefused where there is nothing to copy or something stands there already, StoreDamaged where a file is,
    and StoreUnavailable or OSError where one cannot be read or written; then nothing is left of it.
    """
    sources = {name: path for name, path in files_of(data).items() if path.is_file()}
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
            _refuse_damaged(path, verify_file(draft / name, name))
            files.append(_measured(draft / name))
        manifest = Manifest(FORM, at, version, files)
        (draft / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")
        sync(draft / MANIFEST)
        sync(draft)
        folder.parent.mkdir(parents=True, exist_ok=True)
        if folder.is_dir():
            folder.rmdir()
        draft.rename(folder)
        sync(folder.parent)
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
    taken = [path.name for path in files_of(data).values() if path.exists()]
    if taken:
        raise StartRefused(f"{data} holds data already ({', '.join(taken)}): restore into another folder, or move it")
    data.mkdir(parents=True, exist_ok=True)
    try:
        for each in manifest.files:
            tell(Progress(each.file, 0, each.bytes))
            shutil.copyfile(folder / each.file, data / each.file)
            sync(data / each.file)
            tell(Progress(each.file, each.bytes, each.bytes))
            fault = _fault(data, each)
            if fault:
                raise BackupDamaged(fault)
        sync(data)
    except BaseException:
        for each in manifest.files:
            (data / each.file).unlink(missing_ok=True)
        raise
    return manifest


def restore_store(folder: Path, data: Path, tell: Tell) -> Path | None:
    """Put the store of a backup in the place of that of a data folder whose journal and statements go on from it.

    What the store lacks is folded from these at the next start. Return where the former store was moved, None where
    there was none. Raises BackupDamaged, LogReplaced where the journal no longer has what the store lacks, StartRefused
    where there is no journal, or OSError; then the folder is as it was.
    """
    copied = next((each for each in check(folder).files if each.file == STORE_FILE), None)
    if copied is None:
        raise BackupDamaged(f"{folder} holds no {STORE_FILE}")
    if not (data / JOURNAL_FILE).is_file():
        raise StartRefused(f"{data} holds no journal: restore the whole backup instead, without --only-store")
    draft = data / f".{STORE_FILE}.draft"
    try:
        tell(Progress(STORE_FILE, 0, copied.bytes))
        shutil.copyfile(folder / STORE_FILE, draft)
        sync(draft)
        fault = _fault(data, Copied(draft.name, copied.bytes, copied.sha256))
        if fault:
            raise BackupDamaged(fault)
        _check_fits(draft, data)
        with closing(open_writing(draft)) as connection:
            renew_identity(connection)
        sync(draft)
        moved = _move_aside(data)
        draft.replace(data / STORE_FILE)
        sync(data)
    finally:
        draft.unlink(missing_ok=True)
    return moved


def _check_fits(store: Path, data: Path) -> None:
    with (
        closing(open_reader(store)) as connection,
        closing(JournalReader(data / JOURNAL_FILE)) as journal,
        closing(DecisionReader(data / DECISIONS_FILE)) as decisions,
    ):
        check_logs(StoreReader(connection), journal, decisions, data)


def _move_aside(data: Path) -> Path | None:
    """Move the store in force aside with its log, under a name that is free; the name of another is forgotten."""
    current = store_path(data)
    names = [name for name in (current.name, *(current.name + beside for beside in BESIDE)) if (data / name).exists()]
    free = next(n for n in range(1, 1_000_000) if not (data / f"damaged-{n}").exists())
    aside = data / f"damaged-{free}"
    if names:
        aside.mkdir()
        for name in names:
            (data / name).replace(aside / name)
    (data / POINTER).unlink(missing_ok=True)
    return aside if names else None


def _refuse_damaged(source: Path, verdict: Verdict) -> None:
    """A backup is of use only while it is whole: nobody should learn it on the day it is needed."""
    if verdict.faults:
        raise StoreDamaged(f"{source}: {DAMAGED} ({verdict.faults[0]})")


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
        try:
            reader.backup(copy, pages=_PAGES_AT_ONCE, progress=said)
            copy.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.OperationalError as error:  # of what is written: the source is only read
            raise StoreUnavailable(f"{target.parent}: {passing_cause(error) or error}") from error
    sync(target)


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
