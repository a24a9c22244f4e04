"""How a part becomes a process: as a copy of the supervisor on Linux, as a program of its own elsewhere.

A copy shares the memory of what the supervisor has loaded, code and definitions, until one of them writes there, and
runs at once. What would be shared beside that is let go of: a copy has its three standard files and those it is told
to keep, and signals do to it what they do to a program. It never returns into what the supervisor was doing.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import signal
import sys
import traceback
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import NoReturn, Protocol

# glibc gives each thread memory of its own, and what one lets go of no other uses: an API that had answered for ten
# minutes held 240 MiB so. Whoever sets this decides.
_ARENAS = "MALLOC_ARENA_MAX"
_FEW_ARENAS = 2
_M_ARENA_MAX = -8  # of malloc.h


def can_copy() -> bool:
    """Tell whether the system's libraries may be used in a copy, and whether it tells when one has ended."""
    if sys.platform != "linux":
        return False
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):  # an old kernel, or a sandbox
        return False
    return True


class Process(Protocol):
    """A process that this one started."""

    @property
    def pid(self) -> int: ...

    @property
    def has_ended(self) -> bool: ...

    def tell(self, line: bytes) -> None:
        """Write to its standard input, which stays open until it has ended."""
        ...

    async def wait(self) -> int:
        """Return its exit code once it has ended; negative: the signal that ended it."""
        ...

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, unless it has ended."""
        ...


async def execute(command: Sequence[str], keep: Collection[int]) -> Process:
    """Start a program that has these descriptors of ours. Raises OSError where the system gives no process."""
    return _Executed(
        await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            env={_ARENAS: str(_FEW_ARENAS), **os.environ},
            pass_fds=tuple(keep),
            process_group=0,  # Ctrl-C goes to the supervisor only, which drains in order
        )
    )


def copy(run: Callable[[], None], keep: Collection[int], name: str) -> Process:
    """Start a copy of this process that calls ``run``, and ends when that does or by its SystemExit.

    Only where ``can_copy`` and ``is_alone``. It has these descriptors of ours; ``name`` is what ``ps`` and ``top`` call
    it. Raises OSError where the system gives no process.
    """
    from setproctitle import setproctitle  # which is there only where copies may be made

    _flush()  # else a copy writes it again
    stdin, ours = os.pipe()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        others = {int(each) for each in os.listdir("/proc/self/fd")} - {0, 1, 2, *keep}
        pid = os.fork()
        if pid == 0:
            _live(run, stdin, others, partial(setproctitle, name), before)
    except OSError:
        os.close(ours)
        raise
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.close(stdin)
    return _Copy(pid, ours)


def is_alone() -> bool:
    """Tell whether this process has one thread: a copy gets no other, nor what another one holds locked."""
    return len(os.listdir("/proc/self/task")) == 1


class _Executed:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        return self._process.returncode is not None

    def tell(self, line: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line)

    async def wait(self) -> int:
        return await self._process.wait()

    def send(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            self._process.send_signal(number)


class _Copy:
    def __init__(self, pid: int, stdin: int) -> None:
        self.pid = pid
        self._stdin = stdin
        self._loop = asyncio.get_running_loop()
        self._code: asyncio.Future[int] = self._loop.create_future()
        self._end = -1
        try:
            self._end = os.pidfd_open(pid)
            self._loop.add_reader(self._end, self._reap)
        except OSError:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            os.close(stdin)
            if self._end >= 0:
                os.close(self._end)
            raise

    @property
    def has_ended(self) -> bool:
        return self._code.done()

    def tell(self, line: bytes) -> None:
        if not self.has_ended:
            with suppress(BrokenPipeError):  # it has, which whoever waits for it learns in a moment
                os.write(self._stdin, line)

    async def wait(self) -> int:
        return await asyncio.shield(self._code)

    def send(self, number: signal.Signals) -> None:
        if not self.has_ended:  # until then no other process has its number
            os.kill(self.pid, number)

    def _reap(self) -> None:
        self._loop.remove_reader(self._end)
        os.close(self._end)
        os.close(self._stdin)
        _, status = os.waitpid(self.pid, 0)
        self._code.set_result(os.waitstatus_to_exitcode(status))


def _live(
    run: Callable[[], None], stdin: int, others: Iterable[int], name: Callable[[], None], mask: Iterable[int]
) -> NoReturn:
    """Be the copy, to its end, without the ``others``, files of ours; ``name`` tells the system what it is called."""
    code = 1
    try:
        gc.freeze()  # what the supervisor was doing stays as it is: closing its files by their numbers would close ours
        _forget_signals()
        os.setpgid(0, 0)  # Ctrl-C goes to the supervisor only, which drains in order
        os.dup2(stdin, 0)
        for other in others:
            with suppress(OSError):  # that by which they were listed
                os.close(other)
        name()
        _share_arenas()
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        run()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        _flush()
        os._exit(code)


def _flush() -> None:
    """Write what is still to be written, where anybody reads it; who starts us may have closed either."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()


def _forget_signals() -> None:
    """Let signals do what they do to a program that begins; those that are ignored stay ignored."""
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            usual = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
            signal.signal(number, usual)


def _share_arenas() -> None:
    """Let threads of this process share memory, unless its environment says how; glibc alone has to be told."""
    libc = ctypes.CDLL(None)
    if _ARENAS not in os.environ and hasattr(libc, "mallopt"):
        libc.mallopt(_M_ARENA_MAX, _FEW_ARENAS)
