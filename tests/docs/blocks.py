"""Fenced blocks of pages, and whether what is shown in one is what was answered.

The first word of a block's info string is its language; what follows says what tests make of it: ``json answer`` shows
what the commands before it answer, ``yaml NAME`` is to be saved under that name, ``sh otelcol`` needs an
OpenTelemetry Collector, ``sh node``, ``sh go`` and ``sh java`` what these install; a program has the path of the file
that tests run. ``text`` shows what the commands before it print.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple, cast

ELLIPSIS = "…"
_FENCED = re.compile(r"^```(\w+) ?([^\n]*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_TIME = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d+)?Z)?")
_RULE = re.compile(r"─+")


class Block(NamedTuple):
    """A fenced block: its language, the rest of its info string, its text, and the line it begins at."""

    language: str
    says: str
    text: str
    line: int


def blocks_of(page: Path) -> list[Block]:
    """Return the blocks of a page, in order."""
    text = page.read_text("utf-8")
    return [
        Block(found[1], found[2].strip(), found[3], text.count("\n", 0, found.start()) + 1)
        for found in _FENCED.finditer(text)
    ]


def shows(shown: Any, answered: Any) -> bool:
    """Tell whether an answer is as it is shown: ``…`` stands for any text, as a member for further members, and as the
    last element for further elements; times may be others."""
    if shown == ELLIPSIS:
        return True
    if isinstance(shown, dict) and isinstance(answered, dict):
        members, given = cast("dict[str, Any]", dict(shown)), cast("dict[str, Any]", answered)
        open_end = members.pop(ELLIPSIS, None) is not None
        return (open_end or members.keys() == given.keys()) and all(
            name in given and shows(value, given[name]) for name, value in members.items()
        )
    if isinstance(shown, list) and isinstance(answered, list):
        elements, found = cast("list[Any]", shown), cast("list[Any]", answered)
        if elements and elements[-1] == ELLIPSIS:
            elements, found = elements[:-1], found[: len(elements) - 1]
        return len(elements) == len(found) and all(map(shows, elements, found))
    if isinstance(shown, str) and isinstance(answered, str) and _TIME.fullmatch(shown):
        return _TIME.fullmatch(answered) is not None
    return type(shown) is type(answered) and shown == answered


def prints(shown: str, printed: str) -> bool:
    """Tell whether what is printed is as it is shown, white space aside: ``…`` stands for any text, and times may be
    others."""
    pattern = ".*?".join(re.escape(part) for part in _plain(shown).split(ELLIPSIS))
    return re.fullmatch(pattern, _plain(printed)) is not None


def _plain(text: str) -> str:
    return " ".join(_RULE.sub("─", _TIME.sub("TIME", text)).split())
