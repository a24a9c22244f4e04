"""The supervisor, with small programs in place of the parts."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from throughline.core.errors import StartRefused
from throughline.serve.supervisor import LONGEST_DELAY_SECONDS, Part, Supervisor, Watcher, restart_delay

READY = "import os, sys; os.write(int(sys.stdin.readline()), b'ready\\n'); "
UNTIL_TERMINATED = READY + "import signal; signal.sigwait([signal.SIGTERM]); "


def program(code: str, *arguments: str) -> list[str]:
    blocked = "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM]); "
    return [sys.executable, "-c", blocked + code, *arguments]


def part(name: str, code: str, *arguments: str) -> Part:
    def orders(report: int) -> bytes:
        return f"{report}\n".encode()

    return Part(name, program(code, *arguments), orders)


class Notes:
    """What a supervisor told its watcher, and a way to wait for it."""

    def __init__(self) -> None:
        self.pids: dict[str, int] = {}
        self.restarts: list[tuple[str, int]] = []
        self.unstarted: list[str] = []
        self.ready = asyncio.Event()
        self._changed = asyncio.Event()

    def watcher(self) -> Watcher:
        return Watcher(self._pids, self._restarted, self._ready, self._unstarted)

    def _pids(self, pids: Mapping[str, int]) -> None:
        self.pids = dict(pids)
        self._changed.set()

    def _restarted(self, name: str, code: int, _delay: float) -> None:
        self.restarts.append((name, code))
        self._changed.set()

    def _unstarted(self, name: str, _error: OSError) -> None:
        self.unstarted.append(name)
        self._changed.set()

    def _ready(self) -> None:
        self.ready.set()

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not holds():
                self._changed.clear()
                await self._changed.wait()


@pytest.fixture
def notes() -> Notes:
    return Notes()


def supervisor(notes: Notes, *parts: Part) -> Supervisor:
    return Supervisor(parts, [part.name for part in parts], [], notes.watcher())


def test_the_first_restart_is_at_once_and_later_ones_wait_longer_up_to_a_limit() -> None:
    delays = [restart_delay(failures) for failures in range(1, 10)]
    assert delays[0] == 0
    assert delays[1:4] == [0.1, 0.2, 0.4]
    assert delays == sorted(delays)
    assert restart_delay(1000) == LONGEST_DELAY_SECONDS


@pytest.mark.parametrize(("given", "seen"), [(None, "2"), ("5", "5")])
def test_parts_share_the_memory_that_their_threads_let_go_of_unless_told_otherwise(
    notes: Notes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str | None, seen: str
) -> None:
    monkeypatch.delenv("MALLOC_ARENA_MAX", raising=False)
    if given is not None:
        monkeypatch.setenv("MALLOC_ARENA_MAX", given)
    note = "import pathlib; pathlib.Path(sys.argv[1]).write_text(os.environ['MALLOC_ARENA_MAX']); "

    async def story() -> None:
        one = supervisor(notes, part("a", "import os, sys; " + note + UNTIL_TERMINATED, str(tmp_path / "note")))
        running = asyncio.create_task(one.run())
        await asyncio.wait_for(notes.ready.wait(), 20)
        one.stop()
        await running

    asyncio.run(story())
    assert (tmp_path / "note").read_text() == seen


def test_it_says_ready_once_every_part_is(notes: Notes) -> None:
    async def story() -> None:
        both = supervisor(notes, part("a", UNTIL_TERMINATED), part("b", UNTIL_TERMINATED))
        running = asyncio.create_task(both.run())
        await asyncio.wait_for(notes.ready.wait(), 20)
        assert notes.pids.keys() == {"a", "b"}
        both.stop()
        await running
        assert notes.pids == {}

    asyncio.run(story())


def test_a_part_that_is_killed_is_started_again(notes: Notes) -> None:
    async def story() -> None:
        one = supervisor(notes, part("a", UNTIL_TERMINATED))
        running = asyncio.create_task(one.run())
        await asyncio.wait_for(notes.ready.wait(), 20)
        first = notes.pids["a"]
        os.kill(first, signal.SIGKILL)
        await notes.until(lambda: notes.pids.get("a", first) != first)
        assert notes.restarts == [("a", -signal.SIGKILL)]
        one.stop()
        await running

    asyncio.run(story())


def test_where_the_system_gives_no_process_the_others_go_on_and_it_is_tried_again(notes: Notes, tmp_path: Path) -> None:
    async def story() -> None:
        python, away = tmp_path / "python", tmp_path / "away"
        python.symlink_to(sys.executable)
        first = part("a", UNTIL_TERMINATED)
        second = part("b", UNTIL_TERMINATED)._replace(command=[str(python), *program(UNTIL_TERMINATED)[1:]])
        both = supervisor(notes, first, second)
        running = asyncio.create_task(both.run())
        await asyncio.wait_for(notes.ready.wait(), 20)
        before = dict(notes.pids)
        python.rename(away)
        os.kill(before["b"], signal.SIGKILL)
        await notes.until(lambda: len(notes.unstarted) >= 2)
        assert notes.pids == {"a": before["a"]}
        away.rename(python)
        await notes.until(lambda: notes.pids.keys() == {"a", "b"})
        assert notes.pids["a"] == before["a"]
        both.stop()
        await running

    asyncio.run(story())


def test_a_part_that_refuses_for_good_ends_all(notes: Notes) -> None:
    async def story() -> None:
        refusing = READY + "sys.exit(78)"
        both = supervisor(notes, part("a", UNTIL_TERMINATED), part("engine", refusing))
        with pytest.raises(StartRefused, match="the engine refused to start"):
            await asyncio.wait_for(both.run(), 20)
        assert notes.pids == {}

    asyncio.run(story())


def test_a_part_that_is_never_ready_ends_all(notes: Notes) -> None:
    async def story() -> None:
        with pytest.raises(StartRefused, match="the a ended 5 times before it was ready"):
            await asyncio.wait_for(supervisor(notes, part("a", "import sys; sys.exit(1)")).run(), 20)
        assert notes.restarts == [("a", 1)] * 4

    asyncio.run(story())


def test_later_parts_do_not_start_where_the_first_refuses(notes: Notes, tmp_path: Path) -> None:
    async def story() -> None:
        trace = tmp_path / "started"
        second = part("b", "open(sys.argv[1], 'w'); import sys", str(trace))
        with pytest.raises(StartRefused):
            await asyncio.wait_for(supervisor(notes, part("a", "import sys; sys.exit(78)"), second).run(), 20)
        assert not trace.exists()

    asyncio.run(story())


def test_it_ends_where_nobody_can_be_told_that_it_is_ready(notes: Notes) -> None:
    async def story() -> None:
        def refuse() -> None:
            raise StartRefused("the disk is full")

        watcher = notes.watcher()._replace(ready=refuse)
        with pytest.raises(StartRefused, match="the disk is full"):
            await asyncio.wait_for(Supervisor([part("a", UNTIL_TERMINATED)], ["a"], [], watcher).run(), 20)
        assert notes.pids == {}

    asyncio.run(story())


def test_parts_drain_in_order(notes: Notes, tmp_path: Path) -> None:
    async def story() -> None:
        log = tmp_path / "ended"
        note = UNTIL_TERMINATED + "open(sys.argv[1], 'a').write(sys.argv[2])"
        both = supervisor(notes, part("a", note, str(log), "a"), part("b", note, str(log), "b"))
        running = asyncio.create_task(both.run())
        await asyncio.wait_for(notes.ready.wait(), 20)
        both.stop()
        both.stop()
        await running
        assert log.read_text() == "ab"

    asyncio.run(story())


def test_a_part_hears_when_its_supervisor_is_gone(tmp_path: Path) -> None:
    """The part drains (SIGTERM) once its standard input ends, whatever ended the supervisor."""

    async def story() -> None:
        listen, report = os.pipe()
        code = (
            "import sys, signal; from throughline.serve import lifeline;"
            "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7));"
            "orders = lifeline.take(sys.stdin.buffer); lifeline.follow(sys.stdin.buffer, lambda: None);"
            "lifeline.say_ready(orders.report)(); signal.pause()"
        )
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, stdin=asyncio.subprocess.PIPE, pass_fds=[report]
        )
        os.close(report)
        assert child.stdin is not None
        child.stdin.write(f'{{"data": "d", "addresses": {{}}, "settings": {{}}, "report": {report}}}\n'.encode())
        await child.stdin.drain()
        with os.fdopen(listen, "rb") as pipe:
            assert await asyncio.to_thread(pipe.read) == b"ready\n"
        child.stdin.close()
        assert await asyncio.wait_for(child.wait(), 20) == 7

    asyncio.run(story())
