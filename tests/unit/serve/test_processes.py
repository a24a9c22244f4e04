"""Copies of a process, made by a small program: what they share with it, and what they do not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.service.serving import until
from throughline.serve.processes import can_copy

pytestmark = pytest.mark.skipif(not can_copy(), reason="this system does not allow for copies")

BEGIN = """
import asyncio, ctypes, json, os, signal, sys, threading
from throughline.serve.processes import copy

def live(run, keep=(), told=b""):
    async def story():
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, lambda: None)
        one = copy(run, keep, "throughline one")
        assert not one.has_ended
        one.tell(told)
        code = await asyncio.wait_for(one.wait(), 20)
        assert one.has_ended
        one.send(signal.SIGKILL)  # nobody: it has ended
        one.tell(b"nobody")
        return code
    return asyncio.run(story())
"""


def program(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", BEGIN + code],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | environment,
    )


def result(code: str, **environment: str) -> Any:
    ended = program(code, **environment)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def test_a_copy_has_its_standard_files_and_those_that_it_is_told_to_keep(tmp_path: Path) -> None:
    seen = result(
        f"""
kept, other = os.open({str(tmp_path)!r}, os.O_RDONLY), os.open({str(tmp_path)!r}, os.O_RDONLY)
def run():
    files = [int(each) for each in os.listdir("/proc/self/fd")]
    files = [each for each in files if is_open(each)]  # the one that listed them is not any more
    name = open("/proc/self/cmdline").read().rstrip(chr(0))
    print(json.dumps([sorted(files), os.read(0, 9).decode(), name, os.getpgid(0) == os.getpid(), kept]))
def is_open(file):
    try:
        return bool(os.fstat(file))
    except OSError:
        return False
assert live(run, [kept], b"orders") == 0
assert os.stat(other) and os.stat(kept)
"""
    )
    files, told, name, leads, kept = seen
    assert files == [0, 1, 2, kept]
    assert told == "orders"
    assert name == "throughline one"
    assert leads


def test_the_input_of_a_copy_ends_with_who_made_it_also_beside_later_copies(tmp_path: Path) -> None:
    note = tmp_path / "note"
    made = program(
        f"""
def first():
    os.read(0, 1)  # the end of it
    open({str(note)!r}, "w").write("ended")
def second():
    os.closerange(1, 3)
    signal.pause()
async def story():
    copy(first, [], "first")
    pid = copy(second, [], "second").pid
    print(pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(story())
"""
    )
    later = int(made.stdout)
    try:
        assert made.returncode == -signal.SIGKILL
        until(lambda: note.exists() and note.read_text() == "ended", "the end of its input")
    finally:
        os.kill(later, signal.SIGKILL)  # it still ran


def test_signals_do_to_a_copy_what_they_do_to_a_program() -> None:
    code = """
signal.signal(signal.SIGHUP, signal.SIG_IGN)
def run():
    print(json.dumps([signal.getsignal(each) is wanted for each, wanted in (
        (signal.SIGTERM, signal.SIG_DFL), (signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_IGN)
    )]), flush=True)
    os.kill(os.getpid(), signal.SIGTERM)
    signal.pause()
assert live(run) == -signal.SIGTERM
"""
    assert result(code) == [True, True, True]


@pytest.mark.parametrize(
    ("run", "code"),
    [
        ("None", 0),
        ("sys.exit(78)", 78),
        ("sys.exit()", 0),
        ("sys.exit('why')", 1),
        ("1 / 0", 1),
        ("os.kill(os.getpid(), signal.SIGKILL)", -9),
    ],
)
def test_the_end_of_a_copy_is_told(run: str, code: int) -> None:
    ended = program(f"print(live(lambda: {run}))")
    assert ended.stdout == f"{code}\n"
    assert ended.returncode == 0
    assert ("ZeroDivisionError" in ended.stderr) == (run == "1 / 0")
    assert ("why" in ended.stderr) == ("why" in run)


def test_a_copy_is_made_also_where_nobody_reads_what_is_written() -> None:
    ended = program("sys.stdout = None\ncode = live(lambda: None)\nsys.exit(7 if code == 0 else code)")
    assert ended.returncode == 7, ended.stderr


def test_a_copy_does_not_go_on_with_what_was_being_done() -> None:
    ended = program(
        """
async def story():
    try:
        one = copy(lambda: print("copy"), [], "one")
        await one.wait()
    finally:
        print("done", os.getpid() == first)
first = os.getpid()
asyncio.run(story())
"""
    )
    assert ended.stdout == "copy\ndone True\n"


@pytest.mark.parametrize(("given", "few"), [({}, True), ({"MALLOC_ARENA_MAX": "12"}, False)])
def test_threads_of_a_copy_share_memory_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, given: dict[str, str], few: bool
) -> None:
    monkeypatch.delenv("MALLOC_ARENA_MAX", raising=False)
    arenas = result(
        f"""
def run():
    libc = ctypes.CDLL(None)
    libc.malloc.restype = libc.fopen.restype = ctypes.c_void_p
    met = threading.Barrier(6)
    def take():
        libc.malloc(5000)
        met.wait()
    threads = [threading.Thread(target=take) for _ in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    file = libc.fopen({str(tmp_path / "info")!r}.encode(), b"w")
    libc.malloc_info(0, ctypes.c_void_p(file))
    libc.fclose(ctypes.c_void_p(file))
    print(open({str(tmp_path / "info")!r}).read().count("<heap nr="))
live(run)
""",
        **given,
    )
    assert (arenas <= 2) is few


def test_where_the_system_gives_no_process_that_is_said_and_nothing_stays_open() -> None:
    code = """
import resource, setproctitle
async def story():
    before = len(os.listdir("/proc/self/fd"))
    files = resource.getrlimit(resource.RLIMIT_NOFILE)
    for more in range(5):  # a pipe has two, and the list of files one, or then the word of an end
        resource.setrlimit(resource.RLIMIT_NOFILE, (before - 1 + more, files[1]))
        try:
            assert await copy(lambda: None, [], "one").wait() == 0
            print("made")
        except OSError:
            print("refused")
    resource.setrlimit(resource.RLIMIT_NOFILE, files)
    assert len(os.listdir("/proc/self/fd")) == before
asyncio.run(story())
"""
    ended = program(code)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == "refused\n" * 3 + "made\n" * 2


def test_where_the_system_makes_no_copy_or_does_not_tell_of_its_end_nothing_of_it_stays() -> None:
    code = """
def refuse(*_):
    raise BlockingIOError(11, "none left")
async def story():
    before = os.listdir("/proc/self/fd")
    for name in ("fork", "pidfd_open"):
        usual = getattr(os, name)
        setattr(os, name, refuse)
        try:
            copy(signal.pause, [], "one")
        except BlockingIOError:
            print("refused")
        setattr(os, name, usual)
    assert os.listdir("/proc/self/fd") == before
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        print("no child")
asyncio.run(story())
"""
    ended = program(code)
    assert ended.stdout == "refused\nrefused\nno child\n", ended.stderr
