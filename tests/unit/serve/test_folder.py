"""The data folder: one serve at a time, files that are whole."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from throughline.core.errors import StartRefused
from throughline.serve.folder import ADDRESSES, PARTS, PATIENCE_SECONDS, DataFolder, forget_addresses, read_small_file
from throughline.serve.lifeline import GRACE_SECONDS


def test_a_second_serve_is_refused_at_once_and_told_who_has_the_folder(tmp_path: Path) -> None:
    first = DataFolder(tmp_path / "data")
    first.write(PARTS, {"supervisor": os.getpid()})
    with pytest.raises(StartRefused, match=rf"in use by another throughline serve \(process {os.getpid()}\).*--data"):
        DataFolder(tmp_path / "data")
    first.close()
    first.close()
    DataFolder(tmp_path / "data").close()


def ended_process() -> int:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def test_it_waits_for_parts_that_a_killed_supervisor_left(tmp_path: Path) -> None:
    left = DataFolder(tmp_path)
    left.write(PARTS, {"supervisor": ended_process()})
    ends_when_told = "import sys; sys.stdin.read()"
    part = subprocess.Popen([sys.executable, "-c", ends_when_told], stdin=subprocess.PIPE, pass_fds=[left.lock])
    left.close()
    named = read_small_file(tmp_path / PARTS)
    (tmp_path / PARTS).write_text(json.dumps({**named, "engine": part.pid, "api": ended_process()}))
    with pytest.raises(StartRefused, match=rf"\(engine: process {part.pid}\).*kill -9 {part.pid}\)"):
        DataFolder(tmp_path, patience_seconds=0)
    part.communicate()
    DataFolder(tmp_path, patience_seconds=0).close()


def test_a_folder_that_cannot_be_made_names_the_option(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StartRefused, match=r"cannot be written .*--data"):
        DataFolder(tmp_path / "file" / "data")


def test_a_small_file_is_written_whole_and_read_back(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    folder.write(ADDRESSES, {"http": "127.0.0.1:1"})
    folder.write(ADDRESSES, {"http": "127.0.0.1:2"})
    assert read_small_file(tmp_path / ADDRESSES) == {"http": "127.0.0.1:2"}
    assert sorted(path.name for path in tmp_path.iterdir()) == [ADDRESSES, "serve.lock"]
    folder.remove(ADDRESSES)
    folder.remove(ADDRESSES)
    assert read_small_file(tmp_path / ADDRESSES) == {}
    folder.close()


def test_what_cannot_be_written_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    folder.write(ADDRESSES, {"http": "127.0.0.1:1"})
    with pytest.raises(TypeError):
        folder.write(ADDRESSES, {"http": object()})  # pyright: ignore[reportArgumentType]
    assert read_small_file(tmp_path / ADDRESSES) == {"http": "127.0.0.1:1"}
    assert sorted(path.name for path in tmp_path.iterdir()) == [ADDRESSES, "serve.lock"]
    folder.close()


def test_a_part_forgets_the_addresses_of_a_serve_that_is_gone(tmp_path: Path) -> None:
    (tmp_path / ADDRESSES).write_text("{}")
    forget_addresses(tmp_path)
    forget_addresses(tmp_path)
    assert not (tmp_path / ADDRESSES).exists()


def test_it_waits_for_longer_than_a_part_takes_to_end_without_its_supervisor() -> None:
    assert PATIENCE_SECONDS > GRACE_SECONDS
