"""What the command ``kpis signals`` asks and prints."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.table import Table
from rich.text import Text

from throughline.cli.client import Client, Document, api_place
from throughline.cli.kpis import KPIS, STYLES, figure_text, value_text
from throughline.cli.printing import console, print_json, say_more
from throughline.cli.words import key_text, moment, spoken

SIGNALS = "/api/v1/signals"


def signals(asked: Sequence[tuple[str, object]], url: str | None, data: Path | None, as_json: bool) -> None:
    """Print the signals of KPIs."""
    client = Client(api_place(url, data))
    found = client.get(SIGNALS, asked)
    if as_json:
        print_json(found)
        return
    while not found["signals"] and found["next"]:  # of one KPI nothing is at risk, and others follow
        page = client.get(SIGNALS, [*(each for each in asked if each[0] != "cursor"), ("cursor", found["next"])])
        found = {**page, "not_whole": [*found["not_whole"], *page["not_whole"]]}
    out = console()
    kpis = {each["kpi"]["id"]: each["kpi"] for each in client.get(KPIS)["kpis"]}
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("signal", "value", "of", "evidence"):
        table.add_column(title, overflow="fold", justify="right" if title == "value" else "left")
    for each in found["signals"]:
        table.add_row(f"{each['kind']} {each['name']}", _value(kpis[each["name"]], each), _subject(each), _told(each))
    if found["signals"]:
        out.print(table)
    else:
        out.print("There is no such signal.")
    for name in found["not_whole"]:
        out.print(f"There is too much open work of {name}: only the latest was looked at.", style="yellow")
    say_more(out, found)


def _value(kpi: Document, signal: Document) -> Text:
    if signal["value"] is None:
        return Text("no answer", "dim")
    return Text(figure_text(kpi, signal), STYLES.get(signal["standing"] or "", ""))


def _subject(signal: Document) -> str:
    """Say what a number is of: a case and its deadline, some values of dimensions, or all."""
    case = signal["case"]
    if case is not None:
        name = key_text({"type": case["key_type"], "value": case["name"], "scope": case["scope"]})
        return f"{name} in {case['process']}, due {moment(signal['due'])}"
    return ", ".join(f"{spoken(name)} {value_text(name, value)}" for name, value in signal["of"].items()) or "all"


def _told(signal: Document) -> str:
    """Say what led to a number, or why there is none."""
    if signal["value"] is None:
        return signal["why_not"]
    evidence = signal["evidence"]
    words: list[str] = []
    if signal["kind"] == "risk":
        words.append(f"learnt from {evidence['count']:,}" if evidence["count"] else "no time is left")
        calibration = evidence["calibration"]
        if calibration is not None:
            words.append(
                f"of {calibration['count']:,} such chances {calibration['happened']:.0%} missed it"
                f" ({calibration['low']:.0%} to {calibration['high']:.0%})"
            )
        return ", ".join(words)
    words.append(f"of {evidence['count']:,}")
    if evidence["low"] is not None:
        words.append(f"{evidence['low']:.1%} to {evidence['high']:.1%}")
    if evidence["target"]:
        words.append(f"target {evidence['target']}")
    return ", ".join(words)
