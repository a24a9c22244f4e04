"""The system's clock of programs of a test's own, set forward and back while they run: by a library put before libc."""

from __future__ import annotations

import mmap
import struct
import subprocess
from pathlib import Path

_SHIM = r"""
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static volatile const long long *shift;

__attribute__((constructor)) static void open_shift(void) {
    const char *name = getenv("CLOCK_SHIFT");
    int file = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
    void *seen = file < 0 ? MAP_FAILED : mmap(0, sizeof(long long), PROT_READ, MAP_SHARED, file, 0);
    if (seen != MAP_FAILED) shift = seen;
    if (file >= 0) close(file);
}

int clock_gettime(clockid_t clock, struct timespec *at) {
    long failed = syscall(SYS_clock_gettime, clock, at);
    if (!failed && clock == CLOCK_REALTIME && shift) at->tv_sec += *shift;
    return failed ? -1 : 0;
}
"""


class ShiftedClock:
    """``environment`` is what a program needs to go by this clock; time that cannot be set is left as it is."""

    def __init__(self, folder: Path) -> None:
        source, library, self._file = folder / "shift.c", folder / "shift.so", folder / "shift"
        source.write_text(_SHIM)
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(source)], check=True)
        self._file.write_bytes(bytes(8))
        self.environment = {"LD_PRELOAD": str(library), "CLOCK_SHIFT": str(self._file)}

    def stand(self, days: float) -> None:
        """Let the clock stand so many days after the real one, or before it."""
        with self._file.open("r+b") as file, mmap.mmap(file.fileno(), 8) as memory:
            memory[:] = struct.pack("=q", round(days * 86_400))
