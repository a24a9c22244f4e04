"""The command ``show``: a record, its cases and why each event belongs to them, for a person."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from throughline.cli.client import Client, Document, api_place
from throughline.cli.printing import console, print_json
from throughline.cli.words import (
    STATE_STYLES,
    STATUS_SIGNS,
    key_text,
    moment,
    money,
    scope_text,
    spoken,
    statement_text,
    turn,
    waiting_text,
)
from throughline.core.errors import StartRefused

MOST_EVENTS = 50
MOST_SPANS = 40


def show(
    key: tuple[str, str] | None,
    trace_id: str | None,
    scope: Iterable[str],
    limit: int,
    cursor: str | None,
    url: str | None,
    data: Path | None,
    as_json: bool,
) -> bool:
    """Print the records of a key or a trace; return whether anything is known of it."""
    asked: list[tuple[str, object]] = [("limit", limit), ("cursor", cursor)]
    if trace_id is not None:
        asked.append(("trace_id", trace_id))
    elif key is not None:
        asked += [("type", key[0]), ("value", key[1]), *_scopes(scope)]
    client = Client(api_place(url, data))
    answer = client.get("/api/v1/records", asked)
    if as_json:
        print_json(answer)
        return bool(answer["records"])
    out = console()
    if not answer["records"]:
        what = f"the trace {trace_id}" if trace_id else f"{key[0]} {key[1]}" if key else "it"
        out.print(f"Nothing is known of {what} yet.")
        out.print(
            "`throughline cases` lists what is; `throughline quarantine list` what could not be read.", style="dim"
        )
    for record in answer["records"]:
        _record(out, record)
    if answer["next"]:
        out.print(f"\nThere is more: add --cursor {answer['next']}", style="dim", soft_wrap=True)
    return bool(answer["records"])


def _scopes(scope: Iterable[str]) -> Iterable[tuple[str, object]]:
    for each in scope:
        name, equals, value = each.partition("=")
        if not equals:
            raise StartRefused(f"--scope: seen {each!r}, wanted FIELD=VALUE, such as legal_entity=DE01")
        yield f"scope.{name}", value


def _record(out: Console, record: Document) -> None:
    title = key_text(record["key"]) if record["key"] else f"trace {record['trace_id']}"
    out.rule(Text(f"{title}, times in UTC", style="bold"), align="left")
    waiting = record["waiting"]
    if waiting:
        out.print(waiting_text(waiting), style="yellow")
    if record["bulk"]:
        _bulk(out, record["bulk"])
    if record["case_count"] > len(record["cases"]):
        out.print(f"{len(record['cases'])} of {record['case_count']} cases.", style="dim")
    for lineage in record["cases"]:
        _lineage(out, lineage)


def _bulk(out: Console, bulk: Document) -> None:
    """Print what happened at a value that too many cases hold for each of them to show it."""
    out.print(
        f"{bulk['holders']} cases hold this, more than bulk_limit: its own events show here only.", style="yellow"
    )
    table = Table(box=None, pad_edge=False, show_header=False)
    for event in bulk["events"][:MOST_EVENTS]:
        failed = event["outcome"] == "failure"
        why = f" failed ({spoken(event['category'] or 'unknown')})" if failed else ""
        words = f": {event['message']}" if event["message"] else ""
        text = Text(f"{event['type']}{why}{words}", "red" if failed else "")
        table.add_row(moment(event["time"]), text, Text(event["source"], "dim"))
    out.print(Padding(table, (0, 0, 0, 2)))
    left = bulk["more"] + max(0, len(bulk["events"]) - MOST_EVENTS)
    if left:
        out.print(f"  … and {left} earlier ones", style="dim")


def _lineage(out: Console, lineage: Document) -> None:
    case = lineage["case"]
    out.print()
    head = Text.assemble(
        (f"{case['process']}  ", "bold"),
        (f"{spoken(case['key_type'])} {case['name']}{scope_text(case['scope'])}", "bold cyan"),
        "  ",
        (_state(case), STATE_STYLES.get(case["state"], "")),
    )
    out.print(head)
    for line in _summary(case):
        out.print(Padding(line, (0, 0, 0, 2)))
    for each in case["rounds"]:
        if len(case["rounds"]) > 1:
            out.print(f"  Round {each['round']}", style="bold")
        out.print(Padding(_steps(each["steps"]), (0, 0, 0, 2)))
    _keys(out, case["keys"])
    _events(out, case["members"], lineage["why"])
    _statements(out, lineage["statements"])
    _related(out, lineage["related"])
    _traces(out, lineage["traces"], lineage["more_traces"])


def _state(case: Document) -> str:
    return f"{spoken(case['state'])} ({spoken(case['ended_as'])})" if case["ended_as"] else spoken(case["state"])


def _summary(case: Document) -> Iterable[Text]:
    waits = case["waits_for"]
    if waits:
        due = f", due {moment(waits['due'])}" if waits["due"] else ""
        owner = f", owned by {waits['owner']}" if waits["owner"] else ""
        yield Text(f"waits for: {spoken(waits['step'])} by {turn(waits['who'], waits['systems'])}{due}{owner}")
    for found in case["expects"]:
        if found["status"] != "overdue":  # that is told among the deviations
            yield Text(f"expects {_expected(found)}")
    if case["exposure"] != {}:
        yield Text(f"holds up {money(case['exposure'])}", style="bold")
    if case["counted_in"]:
        yield Text(f"sums count that in {', '.join(map(_reference, case['counted_in']))}, where it is held up as well")
    for found in case["deviations"]:
        at = f" at {spoken(found['step'])}" if found["step"] else ""
        closed = "" if found["open"] else _closed(found["accepted"])
        line = f"{spoken(found['kind'])}{at} since {moment(found['since'])}{closed}: {found['reason']}"
        yield Text(line, style="red" if found["open"] else "dim")


def _reference(case: Document) -> str:
    return f"{case['process']} {case['name']}{scope_text(case['scope'])}"


def _closed(accepted: Document | None) -> str:
    """Say how a deviation closed: by a person, or on evidence."""
    return f" (accepted as {spoken(accepted['as'])} by {accepted['by']})" if accepted else " (closed)"


def _expected(found: Document) -> str:
    key = found["key"]
    whose = f" for {spoken(key['type'])} {key['value']}" if key else ""
    reason = f": {found['reason']}" if found["reason"] else ""
    who = turn(found["who"], found["systems"])
    return f"{spoken(found['expect'])}{whose} by {who}, due {moment(found['due'])}, {found['status']}{reason}"


def _steps(steps: list[Document]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    for step in steps:
        sign, style = STATUS_SIGNS.get(step["status"], ("", ""))
        when = moment(step["first"]) if step["first"] else f"due {moment(step['due'])}" if step["due"] else ""
        last = f" … {moment(step['last'])}" if step["last"] and step["last"] != step["first"] else ""
        optional = ", optional" if step["optional"] else ""
        by = "" if step["first"] else f"from {turn(step['waits_for'], step['systems'])}{optional}"
        table.add_row(
            Text(sign, style),
            Text(spoken(step["step"]), style if step["status"] != "waiting" else "dim"),
            Text(spoken(step["status"]), style),
            f"{when}{last}",
            Text(by or ", ".join(step["systems_seen"]), "dim"),
            Text(step["reason"] or "", "dim"),
        )
    return table


def _keys(out: Console, keys: Document) -> None:
    found = [
        f"{spoken(key['type'])} {key['value']}{scope_text(key['scope'])}"
        for role in ("aliases", "carriers", "relations")
        for key in keys[role]
    ]
    if found:
        out.print(Padding(Text.assemble(("keys  ", "dim"), ", ".join(found)), (0, 0, 0, 2)))


def _events(out: Console, members: list[Document], why: list[Document]) -> None:
    reasons = {(each["event"]["source"], each["event"]["id"]): each for each in why}
    table = Table(box=None, pad_edge=False, show_header=False)
    for member in members[:MOST_EVENTS]:
        reason = reasons.get((member["source"], member["event_id"]))
        style = "red" if member["outcome"] == "failure" else "dim" if member["denied"] else ""
        failed = f" failed ({spoken(member['category'] or 'unknown')})" if member["outcome"] == "failure" else ""
        denied = " – taken off by a person" if member["denied"] else ""
        table.add_row(
            moment(member["time"]),
            Text(f"{member['type']}{failed}{denied}", style),
            Text(member["source"], "dim"),
            Text(_chain(reason), "dim"),
        )
        for other in member["other_contents"]:
            again = f"came again as {other['type']} of {moment(other['time'])}, under the same id: counts for nothing"
            table.add_row("", Text(again, "yellow"), Text(f"id {member['event_id']}", "dim"), "")
    out.print(Padding(table, (0, 0, 0, 2)))
    if len(members) > MOST_EVENTS:
        out.print(f"  … and {len(members) - MOST_EVENTS} more events (--json has all)", style="dim")


def _chain(why: Document | None) -> str:
    """Say why an event belongs: the keys from the case to where it stands."""
    if why is None:
        return ""
    if not why["links"]:
        return f"names {why['at']['value']}"
    steps = [f"{spoken(link['to']['type'])} {link['to']['value']}" for link in why["links"]]
    stated = " (stated by a person)" if any(link["statement"] for link in why["links"]) else ""
    return f"by {' → '.join(steps)}{stated}"


def _statements(out: Console, statements: list[Document]) -> None:
    for each in statements:
        out.print(Padding(Text(statement_text(each), "magenta"), (0, 0, 0, 2)))


def _related(out: Console, related: list[Document]) -> None:
    for each in related:
        if not each["cases"]:
            continue
        cases = ", ".join(f"{ref['process']} {ref['name']} ({spoken(ref['state'])})" for ref in each["cases"])
        command = f"`throughline show {each['key']['type']} {shlex.quote(each['key']['value'])}`"
        more = f", … ({each['case_count']} in all: {command})" if each["more"] else ""
        out.print(Padding(Text.assemble((f"{key_text(each['key'])} leads to ", "dim"), f"{cases}{more}"), (0, 0, 0, 2)))


def _traces(out: Console, traces: list[Document], more: bool) -> None:
    for trace in sorted((each for each in traces if each["spans"]), key=lambda each: each["spans"][0]["start"][:19]):
        out.print(Padding(Text(f"trace {trace['trace_id']}", "dim"), (0, 0, 0, 2)))
        for span in trace["spans"][:MOST_SPANS]:
            failed = span["outcome"] == "failure"
            text = f"{moment(span['start'])}  {span['service']}  {span['name']}"
            message = f"  {span['message']}" if span["message"] else ""
            out.print(Padding(Text(f"{text}{message}", "red" if failed else "dim"), (0, 0, 0, 4)))
    if more:
        out.print("  … and more traces: throughline show --trace ID", style="dim")
