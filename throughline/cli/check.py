"""The command ``check``: how well flows report, from a file of events or from what came in of late."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
from rich.text import Text

from collector.cloudevents import BATCH, STRUCTURED, read_cloudevents
from collector.reading import Reading, Refused
from lineage.check import CheckDocument, Checker, UnreadableDocument
from lineage.definitions import load_definitions
from throughline.cli.client import Client, Document, api_url
from throughline.cli.client import Refused as ApiRefused
from throughline.cli.printing import console, print_json
from throughline.cli.words import spoken
from throughline.core.clock import RealClock
from throughline.core.errors import StartRefused
from throughline.core.instants import DAY, HOUR, MINUTE, format_instant, parse_instant
from throughline.core.settings import load_settings

MOST_SHOWN: Final = 20
_LAST = re.compile(r"(\d{1,6})(m|h|d)", re.ASCII)
_UNITS = {"m": MINUTE, "h": HOUR, "d": DAY}
_PAGE = 1_000


def check_file(file: Path, definitions: Path | None, as_json: bool) -> bool:
    """Check a file of CloudEvents: a line each, one alone, or an array. Nothing is sent; return whether all is well."""
    checker = Checker(load_definitions(load_settings({"definitions": definitions}, os.environ).definitions))
    unreadable: list[UnreadableDocument] = []
    now = RealClock().now()
    place = 0
    for body, content_type in _bodies(file):
        try:
            reading = read_cloudevents(content_type, {}, body, now)
        except Refused as refused:
            unreadable.append(UnreadableDocument(place + 1, refused.refusal, refused.sentence))
            place += 1
            continue
        checker.look(reading.events)
        unreadable += _unreadable(reading, place)
        place += len(reading.events) + len(reading.rejected)
    return _tell(checker.document(unreadable), as_json)


def _bodies(file: Path) -> Iterator[tuple[bytes, str]]:
    """Give the file as requests: whole where it is one JSON value, else line by line."""
    try:
        with file.open("rb") as content:
            head = content.read(64).lstrip()[:1]
            content.seek(0)
            if head == b"[":
                yield content.read(), BATCH
                return
            lines = (line for line in content if line.strip())
            first = next(lines, None)
            if first is None:
                return
            if not _is_json(first):
                whole = b"".join((first, *lines))
                lines = iter((whole,) if _is_json(whole) else whole.splitlines())
                first = next(lines)
            yield first, STRUCTURED
            for line in lines:
                yield line, STRUCTURED
    except OSError as error:
        raise StartRefused(
            f"{file} cannot be read ({error.strerror}): give a file of CloudEvents, one a line"
        ) from None


def _is_json(text: bytes) -> bool:
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False
    return True


def _unreadable(reading: Reading, before: int) -> list[UnreadableDocument]:
    return [
        UnreadableDocument(before + each.index + 1, each.set_aside.reason, each.set_aside.sentence)
        for each in reading.rejected
    ]


def check_last(last: str, definitions: Path | None, url: str | None, data: Path | None, as_json: bool) -> bool:
    """Check the events of the last hours of a running Throughline; return whether all is well."""
    found = _LAST.fullmatch(last)
    if found is None:
        raise StartRefused(f"--last: seen {last!r}, wanted a time such as 1h, 30m or 7d")
    client = Client(api_url(url, data))
    status = client.get("/api/v1/status")
    since = format_instant(parse_instant(status["now"]) - int(found[1]) * _UNITS[found[2]])
    checker = Checker(load_definitions(load_settings({"definitions": definitions}, os.environ).definitions))
    try:
        for event in _events(client, since):
            received = parse_instant(event["received"])
            checker.look(read_cloudevents(STRUCTURED, {}, msgspec.json.encode(event["event"]), received).events)
    except ApiRefused as refused:
        if refused.document.get("status") != 404:
            raise
        _tell_counters(status["sources"])
        return False
    return _tell(checker.document(), as_json)


def _events(client: Client, since: str) -> Iterator[dict[str, Any]]:
    cursor: str | None = None
    while True:
        page = client.get("/api/v1/events", [("since", since), ("limit", _PAGE), ("cursor", cursor)])
        yield from page["events"]
        cursor = page["next"]
        if cursor is None:
            return


def _tell_counters(sources: list[Document]) -> None:
    """Say what is known without the events themselves: what was counted of each source, since ever."""
    out = console()
    out.print("This Throughline does not give its events back; this was counted of each source, since ever:")
    for each in sources:
        counts = ", ".join(f"{each[name]} {spoken(name)}" for name in ("placeholders", "lacking_scope", "ambiguous"))
        out.print(f"  {each['source']}: {counts}")
    out.print("`throughline check FILE` tells more of a file of its events.", style="dim")


def _tell(document: CheckDocument, as_json: bool) -> bool:
    """Print what was found; return whether every event can be read and reaches a process."""
    well = not document.unreadable and all(flow.coverage == "100.0" for flow in document.flows)
    if as_json:
        print_json(document)
        return well
    out = console()
    if not document.events and not document.unreadable:
        out.print("There is no event to check.")
        return False
    for each in document.unreadable[:MOST_SHOWN]:
        text = f"event {each.place} cannot be read ({spoken(each.reason)}): {each.sentence}"
        out.print(Text(text, "red"), soft_wrap=True)
    if len(document.unreadable) > MOST_SHOWN:
        out.print(
            f"… and {len(document.unreadable) - MOST_SHOWN} more that cannot be read (--json has all)", style="red"
        )
    for flow in document.flows:
        name = f"flow {flow.flow}" if flow.flow is not None else f"source {flow.source}, which names no flow"
        out.print(Text(f"{name}: {flow.coverage} % of {flow.events} reach a process by a key", "bold"), soft_wrap=True)
        ways = f"{flow.by_name} by name, {flow.by_alias} by alias, {flow.by_carrier} by carrier"
        out.print(f"  {ways}; {flow.correlated} % correlated", style="dim", soft_wrap=True)
        for each in flow.findings:
            example = f"such as {each.example_id} of {each.example_source}"
            line = f"  {each.events} × {spoken(each.finding)}, {each.type} ({example}): {each.sentence}"
            out.print(Text(line, "yellow"), soft_wrap=True)
    return well
