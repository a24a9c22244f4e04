"""The command ``check``: how well flows report, from a file of events or from what came in of late."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
from rich.text import Text

from collector.cloudevents import STRUCTURED, read_cloudevents
from collector.reading import Reading, Refused
from lineage.check import CheckDocument, Checker, FlowCheck, MappingCheck, UnreadableDocument
from lineage.definitions import load_definitions
from throughline.cli.client import Client, Document, api_place
from throughline.cli.client import Refused as ApiRefused
from throughline.cli.inputs import Doors, taken_before
from throughline.cli.printing import console, print_json
from throughline.cli.words import spoken
from throughline.core.clock import RealClock
from throughline.core.errors import StartRefused
from throughline.core.instants import DAY, HOUR, MINUTE, format_instant, parse_instant
from throughline.core.mappings.folder import load_mappings
from throughline.core.settings import load_settings

MOST_SHOWN: Final = 20
_LAST = re.compile(r"(\d{1,6})(m|h|d)", re.ASCII)
_UNITS = {"m": MINUTE, "h": HOUR, "d": DAY}
_PAGE = 1_000


def check_file(file: Path, mapping: str | None, definitions: Path | None, as_json: bool) -> bool:
    """Check the inputs of a file as the doors would take them: CloudEvents, OTLP in JSON, or JSON of any form.

    ``mapping`` names the mapping under which JSON comes in. Nothing is sent; return whether all is well.
    """
    settings = load_settings({"definitions": definitions}, os.environ)
    checker = Checker(load_definitions(settings.definitions))
    doors = Doors(load_mappings(settings.definitions), mapping, settings.nesting)
    unreadable: list[UnreadableDocument] = []
    now = RealClock().now()
    for place, sample in enumerate(doors.inputs(file), start=1):
        try:
            reading, origin = doors.take(sample, now)
        except Refused as refused:
            unreadable.append(UnreadableDocument(place, refused.refusal, refused.sentence))
            checker.look((), set_aside=1)
            continue
        unreadable += _unreadable(reading, place)
        checker.look(reading.events, origin, len(reading.rejected))
    return _tell(checker.document(unreadable), as_json)


def _unreadable(reading: Reading, place: int) -> list[UnreadableDocument]:
    return [UnreadableDocument(place, each.set_aside.reason, each.set_aside.sentence) for each in reading.rejected]


def check_last(last: str, definitions: Path | None, url: str | None, data: Path | None, as_json: bool) -> bool:
    """Check the events of the last hours of a running Throughline; return whether all is well."""
    found = _LAST.fullmatch(last)
    if found is None:
        raise StartRefused(f"--last: seen {last!r}, wanted a time such as 1h, 30m or 7d")
    client = Client(api_place(url, data))
    status = client.get("/api/v1/status")
    since = format_instant(parse_instant(status["now"]) - int(found[1]) * _UNITS[found[2]])
    folder = load_settings({"definitions": definitions}, os.environ).definitions
    checker, mappings = Checker(load_definitions(folder)), load_mappings(folder)
    try:
        for each in _events(client, since):
            received = parse_instant(each["received"])
            for event in read_cloudevents(STRUCTURED, {}, msgspec.json.encode(each["event"]), received).events:
                checker.look((event,), taken_before(mappings, event))
    except ApiRefused as refused:
        if refused.document.get("status") != 404:
            raise
        _tell_counters(status["sources"])
        return False
    return _tell(checker.document(), as_json)


def _events(client: Client, since: str) -> Iterator[dict[str, Any]]:
    cursor: str | None = None
    while True:
        page = client.get("/api/v1/events", [("received_since", since), ("limit", _PAGE), ("cursor", cursor)])
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
    """Print what was found; return whether every input can be read and every event reaches a process."""
    well = bool(document.events) and not document.unreadable
    well = well and all(flow.coverage == "100.0" for flow in document.flows)
    if as_json:
        print_json(document)
    else:
        _print(document)
    return well


def _print(document: CheckDocument) -> None:
    out = console()
    for each in document.unreadable[:MOST_SHOWN]:
        text = f"input {each.place} cannot be read ({spoken(each.reason)}): {each.sentence}"
        out.print(Text(text, "red"), soft_wrap=True)
    if len(document.unreadable) > MOST_SHOWN:
        out.print(
            f"… and {len(document.unreadable) - MOST_SHOWN} more that cannot be read (--json has all)", style="red"
        )
    for made in document.mappings:
        out.print(_mapped(made), soft_wrap=True)
    if document.without_event:
        count = _counted(document.without_event, "log record or span", "log records and spans")
        out.print(f"{count} without an event, kept for the trace alone", style="dim", soft_wrap=True)
    if not document.events and not document.unreadable:
        out.print("There is no event to check.")
    for flow in document.flows:
        _print_flow(flow)


def _mapped(made: MappingCheck) -> str:
    became = _counted(made.events, "event", "events")
    aside = f", and {made.set_aside} could not be made" if made.set_aside else ""
    return f"mapping {made.mapping}: {_counted(made.inputs, 'input', 'inputs')} became {became}{aside}"


def _counted(count: int, one: str, several: str) -> str:
    return f"{count} {one if count == 1 else several}"


def _print_flow(flow: FlowCheck) -> None:
    out = console()
    name = f"flow {flow.flow}" if flow.flow is not None else f"source {flow.source}, which names no flow"
    out.print(Text(f"{name}: {flow.coverage} % of {flow.events} reach a process by a key", "bold"), soft_wrap=True)
    ways = f"{flow.by_name} by name, {flow.by_alias} by alias, {flow.by_carrier} by carrier"
    out.print(f"  {ways}; {flow.correlated} % correlated", style="dim", soft_wrap=True)
    for each in flow.findings:
        example = f"such as {each.example_id} of {each.example_source}"
        line = f"  {each.events} × {spoken(each.finding)}, {each.type} ({example}): {each.sentence}"
        out.print(Text(line, "yellow"), soft_wrap=True)
