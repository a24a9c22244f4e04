"""The command ``export``: the events that count, in a file for other tools."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from throughline.cli.client import Client, api_place
from throughline.cli.printing import console
from throughline.core.errors import LastingError
from throughline.exchange.export import ExportFormat, export_events
from throughline.exchange.written import all_events

PAGE_EVENTS = 1_000


def export(file: Path, form: str, filters: Iterable[tuple[str, object]], url: str | None, data: Path | None) -> None:
    """Write all events that pass the filters; None stands for one not given."""
    if form not in tuple(ExportFormat):
        raise LastingError(f"--format: seen {form!r}, wanted one of {', '.join(ExportFormat)}")
    client = Client(api_place(url, data))
    asked = [*filters, ("limit", PAGE_EVENTS)]

    def page(cursor: str | None) -> bytes:
        return client.get_bytes("/api/v1/events", [*asked, ("cursor", cursor)])

    count = export_events(all_events(page), file, ExportFormat(form))
    console().print(f"{count:,} event{'s' if count != 1 else ''} in {file}, as {form}.")
