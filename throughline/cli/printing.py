"""Where commands print: documents as they are, or words for a person."""

from __future__ import annotations

from typing import Any

import msgspec
from rich.console import Console


def console() -> Console:
    """Return the console of standard output; colours only where a person watches, and texts as they are."""
    return Console(highlight=False, markup=False, emoji=False)


def print_json(document: Any) -> None:
    """Print a document as indented JSON, and nothing else."""
    print(msgspec.json.format(msgspec.json.encode(document), indent=2).decode(), flush=True)
