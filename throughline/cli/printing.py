"""Where commands print: documents as they are, or words for a person."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

import msgspec
from rich.console import Console

PIPED_WIDTH = 200


def console() -> Console:
    """Return the console of standard output: texts as they are; colours, and lines of its width, for a terminal."""
    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else PIPED_WIDTH
    return Console(highlight=False, markup=False, emoji=False, width=width)


def print_json(document: Any) -> None:
    """Print a document as indented JSON, and nothing else."""
    print(msgspec.json.format(msgspec.json.encode(document), indent=2).decode(), flush=True)


def say_more(out: Console, page: Mapping[str, Any], otherwise: str | None = None) -> None:
    """Say how to get the page after one; ``otherwise``: what to say after the last, if anything."""
    if page["next"]:
        out.print(f"There is more: add --cursor {page['next']}", style="dim", soft_wrap=True)
    elif otherwise is not None:
        out.print(otherwise, style="dim")
