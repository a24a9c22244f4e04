"""How many files each part has open, of those that they may: as the system tells it, where it does."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, cast

import msgspec

from throughline.core.metrics import Part
from throughline.core.open_files import WHAT_TO_DO

FEWEST_FREE: Final = 16
_NO_FILES: Final = frozenset({errno.EMFILE, errno.ENFILE})


def files_of_parts(parts: Path) -> Callable[[Part], str | None]:
    """Return what says why a part is short of files, by the process ids that the supervisor writes; None: it is not."""

    def short(part: Part) -> str | None:
        with suppress(msgspec.DecodeError):
            try:
                pids: dict[str, int] = msgspec.json.decode(parts.read_bytes())
                return _short(pids[part.value]) if part.value in pids else None
            except OSError as error:
                if part is Part.API and error.errno in _NO_FILES:
                    return f"it can open no further file ({error.strerror}): {WHAT_TO_DO}"
        return None

    return short


def _short(pid: int) -> str | None:
    """Raises OSError where the system does not tell, or the process is gone."""
    most = _most(pid)
    if most == resource.RLIM_INFINITY:
        return None
    count = len(os.listdir(f"/proc/{pid}/fd"))
    if count <= most - FEWEST_FREE:
        return None
    return f"it has {count:,} of the {most:,} files open that it may: {WHAT_TO_DO}"


def _most(pid: int) -> int:
    prlimit = cast("Any", resource).prlimit if hasattr(resource, "prlimit") else None
    return resource.RLIM_INFINITY if prlimit is None else prlimit(pid, resource.RLIMIT_NOFILE)[0]
