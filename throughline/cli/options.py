"""Options that several commands have; nothing here loads what only one of them needs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print the document itself, as the API gives it.")]
Data = Annotated[Path | None, typer.Option("--data", metavar="DIR", help="Folder of the databases.")]
Url = Annotated[
    str | None, typer.Option("--url", metavar="URL", help="Where the API is, such as http://127.0.0.1:4381.")
]
Limit = Annotated[int | None, typer.Option("--limit", metavar="N", help="The most to show at once.")]
Cursor = Annotated[str | None, typer.Option("--cursor", metavar="CURSOR", help="Go on where the page before ended.")]
Many = list[str] | None
