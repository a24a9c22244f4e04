"""What the commands ``kpis …`` ask and print."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote

from rich.console import Console
from rich.table import Table
from rich.text import Text

from throughline.cli.client import Client, Document, api_place
from throughline.cli.fitting import Cell, Column, print_fitting
from throughline.cli.kpi_definition import say_definition
from throughline.cli.kpi_money import of_unknown, records, sums_by_currency, without_text, worth
from throughline.cli.printing import console, print_json, say_more
from throughline.cli.words import key_text, moment, spoken
from throughline.core.errors import StartRefused

KPIS = "/api/v1/kpis"
STYLES = {"good": "green", "warning": "yellow", "bad": "bold red"}
LATENCY_PARTS = ("waiting", "transport", "processing")
_LOOK_SECONDS = 0.5
_MOST_SHOWN = 10
_SIGNS = {"low": "≤", "high": "≥"}
_LISTED = (
    Column("kpi", 0),
    Column("now", 1, right=True, needed=True),
    Column("standing", 2, needed=True),
    Column("target", 3),
    Column("30 days before", 4, right=True),
    Column("what is asked", 5, lines=2),
)
_NEVER = "1970-01-01T00:00:00Z"
Asked = Iterable[tuple[str, object]]


def list_kpis(url: str | None, data: Path | None, as_json: bool) -> None:
    """Print every KPI with its reading of now."""
    found = Client(api_place(url, data)).get(KPIS)
    if as_json:
        print_json(found)
        return
    out = console()
    groups: dict[str, list[Document]] = {}
    for each in found["kpis"]:
        groups.setdefault(each["kpi"]["group"], []).append(each)
    rows: list[Text | tuple[Cell, ...]] = []
    for group, kpis in sorted(groups.items()):
        rows += [Text(group, "bold"), *map(_line, kpis)]
    print_fitting(out, _LISTED, rows)
    for name, faults in found["left_out"].items():
        out.print(f"{name} is left out: {'; '.join(faults)}", style="yellow")
    made = min((each["at"] for each in found["kpis"] if each["at"]), default=None)
    if made is not None:
        days = "figures of 30 days (92 where months or periods are compared) are up to that day"
        out.print(f"Read {moment(made)} UTC; {days}.", style="dim")
    if found["behind"]:
        out.print(f"{found['behind']:,} changes of cases are not in these figures yet.", style="dim")
    if found["waits"]:
        out.print(f"{_sentence(found['waits'])}.", style="yellow")
    if found["walking"]:
        far = f"{math.floor(100 * found['walked'])} % so far"
        out.print(f"Every case is looked at anew just now ({far}): figures may change.", style="yellow")
    if found["unheard"]:
        out.print(
            f"Never told how far they have reported: {', '.join(found['unheard'])}. estate.yaml declares them, and what"
            " they would tell is in no figure: see that they send, or take them out.",
            style="yellow",
        )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _line(each: Document) -> tuple[Cell, ...]:
    kpi, compared = each["kpi"], each["compared"]
    before = "–" if compared is None else figure_text(kpi, compared["before"])
    return (
        Cell(Text(f"  {kpi['id']}")),
        _figure(kpi, each["reading"]),
        Cell(_standing(kpi, each["reading"])),
        _bound(kpi),
        Cell(Text(before)),
        Cell(more=Text(kpi["question"])),
    )


def _figure(kpi: Mapping[str, Any], reading: Mapping[str, Any] | None) -> Cell:
    """Return the figure of now, and beside it of how many it is not; of one that there is not why that is."""
    if reading is None:
        return Cell(_now(kpi, None))
    figure = reading["figure"]
    if figure["value"] is None:
        return Cell(Text("no answer", "dim"), Text(f"({reading['why_not'] or 'amounts are not known'})", "dim"))
    return Cell(_now(kpi, reading), Text(without_text(kpi, reading["answer"]), "dim"))


def _standing(kpi: Mapping[str, Any], reading: Mapping[str, Any] | None) -> Text:
    """Say how the figure stands; a dash where it has no target, or there is none."""
    figure = reading["figure"] if reading is not None else None
    if figure is None or figure["value"] is None or not kpi["target"]:
        return Text("–")
    standing = figure["standing"]
    return Text(standing or "not known", STYLES.get(standing or "", "dim"))


def _bound(kpi: Mapping[str, Any]) -> Cell:
    """Return the target, as the most or the least that is good, and of which quantile where it is one."""
    if not kpi["target"]:
        return Cell(Text("–"))
    of = f"of the {kpi['headline']}" if kpi["headline"] else ""
    return Cell(Text(f"{_SIGNS[kpi['good']]} {kpi['target']}"), Text(of))


def _target(kpi: Mapping[str, Any]) -> str:
    """Say what a KPI should be, and of which quantile where it is one; nothing where nobody says."""
    if not kpi["target"]:
        return ""
    return f"{kpi['target']} of the {kpi['headline']}" if kpi["headline"] else kpi["target"]


def _now(kpi: Mapping[str, Any], reading: Mapping[str, Any] | None) -> Text:
    if reading is None:
        return Text("no source yet" if kpi["lacks"] else "no reading yet", "dim")
    figure = reading["figure"]
    if figure["value"] is None:
        return Text(f"no answer ({reading['why_not'] or 'amounts are not known'})", "dim")
    return Text(figure_text(kpi, figure), STYLES.get(figure["standing"] or "", ""))


def show_kpi(kpi: str, asked: Asked, where: Iterable[str], url: str | None, data: Path | None, as_json: bool) -> None:
    """Print readings of a KPI."""
    client = Client(api_place(url, data))
    values = _values(client, kpi, where)
    kept = client.get(_path(kpi))["kpi"]
    if kept["lacks"] and not as_json:
        _say_lacks(console(), kept)
        return
    found = client.get(f"{_path(kpi)}/readings", [*asked, *values])
    if as_json:
        print_json(found)
        return
    out, kept = console(), as_told(kept, found)
    _say_what(out, kept, found)
    _say_where(out, where)
    out.print(_readings(kept, found["readings"]))
    _say_left_out(out, found)
    known_to = min((each["known_to"] for each in found["readings"] if each["known_to"]), default=found["at"])
    if known_to == _NEVER:
        out.print("Of some of it nothing told so far: a source that would tell has never reported.", style="yellow")
    elif known_to < found["at"]:
        out.print(f"Of some of it sources have told up to {_known_to(known_to)}.", style="yellow")


def as_told(kpi: Document, found: Document) -> Document:
    """Return a KPI as the version tells it that readings are by: the KPI itself may be of a moment before or after."""
    return {**kpi, **found["told_as"]}


def _say_where(out: Console, where: Iterable[str]) -> None:
    """Say of what part of all a figure is, where it is of a part."""
    named = [each.split("=", 1) for each in where]
    if named:
        told = ", ".join(f"{spoken(name)} {value_text(name, value)}" for name, value in named)
        out.print(f"Only {told}.", style="bold")


def _say_lacks(out: Console, kpi: Document) -> None:
    """Say what a KPI asks, and why there is no figure of it."""
    out.print(Text.assemble((kpi["title"], "bold"), "  ", kpi["question"]))
    out.print(f"Source: {kpi['source']}; {kpi['owner']} owns it.")
    out.print(f"No source yet: it lacks {kpi['lacks']}.")


def _say_what(out: Console, kpi: Document, found: Document) -> None:
    out.print(Text.assemble((kpi["title"], "bold"), "  ", kpi["question"]))
    clock = {"business": "business time", "elapsed": "time as it elapses"}[kpi["clock"]]
    target = f", target {_target(kpi)}" if kpi["target"] else ""
    out.print(
        f"{kpi['kind']} in {spoken(kpi['unit'])}, {clock}, {kpi['good']} is good{target}; {kpi['owner']} owns it."
    )
    if not found["complete"]:
        out.print("Every case is looked at anew just now: these figures are of those that were.", style="yellow")


def _readings(kpi: Document, readings: list[Document]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    dimensions = list(readings[0]["by"]) if readings else []
    for title in (*dimensions, "days", "figure", "of", "open", "ended otherwise", "unknown", "also"):
        table.add_column(
            spoken(title), overflow="fold", justify="left" if title in (*dimensions, "days", "also") else "right"
        )
    for each in readings:
        beside, by_its_day = each["beside"], {**kpi, "day_seconds": each["day_seconds"]}
        table.add_row(
            *(value_text(name, each["by"][name]) for name in dimensions),
            _days(each),
            _now(by_its_day, each),
            f"{beside['began']:,}",
            f"{beside['open']:,}",
            f"{sum(beside['otherwise'].values()):,}",
            f"{sum(beside['unknown'].values()):,}",
            "\n".join(
                [
                    _also(by_its_day, each["answer"]),
                    *(f"by value: {line}" for line in _by_value(by_its_day, each["answer"])),
                    *sums_by_currency(each["answer"]),
                    *_budget(each["answer"]),
                ]
            ),
        )
    return table


def value_text(dimension: str, value: str | None) -> str:
    """Write a value of a dimension: what no cut-off is before has none, and of others nobody told it."""
    return value or ("none" if dimension == "cutoff" else "not known")


def _days(reading: Document) -> str:
    if reading["first"] is None:
        return "now"
    return reading["first"] if reading["first"] == reading["last"] else f"{reading['first']} – {reading['last']}"


def _also(kpi: Mapping[str, Any], answer: Document | None) -> str:
    """Say what else an answer tells, in a few words."""
    match answer:
        case {"kind": "lag"}:
            quantiles = [f"{name} {_reached(kpi, answer[name])}" for name in ("median", "p90", "p99")]
            return ", ".join(quantiles) + _within(answer["error"]) + _shares(answer["parts"])
        case {"kind": "share"}:
            pending = f", {answer['pending']:.1%} to be told" if answer["pending"] else ""
            decided = "" if answer["counted"] else " decided"
            interval = f"{answer['low']:.1%} to {answer['high']:.1%}"
            return f"{answer['hits']:,} of {answer['of']:,}{decided}, {interval}{pending}"
        case {"kind": "stock"}:
            error = answer["median_age_error"] if kpi["unit"] == "seconds" else 0.0
            return _money_text(kpi, answer) + _within(error, "median age")
        case {"kind": "total"}:
            return _money_text(kpi, answer)
        case {"kind": "pace"}:
            return records(answer["records"])
        case {"kind": "ratio"}:
            return f"{_number(answer['numerator'])} ÷ {_number(answer['denominator'])}"
        case {"kind": "variance"}:
            difference, actual = _number(answer["difference"]), _number(answer["actual"])
            return f"off by {difference} of {actual}, {answer['matched']:,} compared"
        case {"kind": "balance"}:
            given_up, left = answer["given_up"], answer["left"]
            return f"{worth(given_up)} given up + {worth(left)} left{of_unknown(answer['money'])}"
        case _:
            return ""


def _by_value(kpi: Mapping[str, Any], answer: Document | None) -> list[str]:
    """Return a line that tells a lag or share with each record weighed by its amount; none where no amount is known."""
    if answer is None or answer["kind"] not in ("lag", "share"):
        return []
    by_value, without = answer["by_value"], answer["without_value"]
    beside = f", {without:,} without a value" if without else ""
    if answer["kind"] == "share":
        return [] if by_value is None else [f"{by_value:.1%}{beside}"]
    quantiles = ", ".join(f"{name} {_reached(kpi, by_value[name])}" for name in by_value)
    return [f"{quantiles}{beside}"] if any(by_value.values()) else []


def _budget(answer: Document | None) -> list[str]:
    """Return a line that tells how many more may miss before the target of a share is missed, or how many too many did.

    Nobody misses in part: what is left is rounded down.
    """
    if answer is None or answer["kind"] != "share" or answer["budget"] is None:
        return []
    left = math.floor(Decimal(answer["budget"]))
    if left < 0:
        return [f"{-left:,} more missed than the target allows"]
    return [f"{left:,} more may miss before the target is missed"]


def _within(error: float, what: str = "each") -> str:
    """Say how far off what a distribution tells may be, where it is not exact."""
    return f", {what} within {error:.1%}" if error else ""


def _shares(parts: Document | None) -> str:
    """Say of what latencies consist, where any could be split."""
    if parts is None or parts["waiting"] is None or parts["waiting"]["share"] is None:
        return ""
    return "; " + ", ".join(f"{_share(parts[name]['share'])} {name}" for name in LATENCY_PARTS)


def _share(share: float) -> str:
    return "< 1%" if 0 < share < 0.01 else f"{share:.0%}"


def _money_text(kpi: Mapping[str, Any], answer: Mapping[str, Any]) -> str:
    hours = f", {answer['hours']} h" if answer["hours"] not in (None, "0") else ""
    if kpi["unit"] == "hours" and answer["hours_unknown"]:
        hours += f", {answer['hours_unknown']:,} of unknown hours"
    return f"{records(answer['records'])}, {worth(answer['money'])}{of_unknown(answer['money'])}{hours}"


def _number(text: str) -> str:
    """Write a decimal text with two digits at most."""
    return f"{Decimal(text).quantize(Decimal('0.01')).normalize():,f}"


def _reached(kpi: Mapping[str, Any], reached: Mapping[str, Any] | None) -> str:
    if reached is None:
        return "not known"
    return f"{'> ' if reached['beyond'] else ''}{time_text(kpi, reached['seconds'])}"


def _say_left_out(out: Console, found: Document) -> None:
    left_out = ", ".join(f"{count:,} {reason}" for reason, count in found["left_out"].items())
    cases = f"{found['cases']:,} case{'' if found['cases'] == 1 else 's'}"
    out.print(f"It concerns {cases}{f'; left out: {left_out}' if left_out else ''}.", style="dim")


def explain(kpi: str, asked: Asked, where: Iterable[str], url: str | None, data: Path | None, as_json: bool) -> None:
    """Print how a figure came about."""
    client = Client(api_place(url, data))
    asked = [*asked, *_values(client, kpi, where)]
    kept = client.get(_path(kpi))
    declared = kept["kpi"]
    if declared["lacks"] and not as_json:
        _say_lacks(console(), declared)
        return
    found = client.get(f"{_path(kpi)}/readings", asked)
    behind = _weighing_most(client, declared, asked)
    if as_json:
        print_json({"kpi": declared, "definition": kept["definition"], "readings": found, "cases": behind})
        return
    out, declared = console(), as_told(declared, found)
    _say_what(out, declared, found)
    _say_where(out, where)
    say_definition(out, declared, kept["definition"])
    for each in found["readings"]:
        by_its_day = {**declared, "day_seconds": each["day_seconds"]}
        out.print(Text.assemble(f"\n{_days(each)}: ", _now(by_its_day, each), _of_which(declared, each)))
        _say_parts(out, by_its_day, each)
    _say_left_out(out, found)
    if behind is None:
        out.print("It is counted from events, not from cases: `throughline orphans` lists what has waited too long.")
    elif behind["cases"]:
        out.print(f"\n{_WEIGHTS.get(behind['counts_as'], 'What weighs most')}, of {behind['times']:,}:", style="bold")
        out.print(_cases(declared, behind["cases"]))
    if behind is not None:
        _say_no_longer_kept(out, behind)


_WEIGHTS = {"hit": "What counts and weighs most", "miss": "What missed and weighs most"}


def _weighing_most(client: Client, kpi: Document, asked: list[tuple[str, object]]) -> Document | None:
    """Return the cases that weigh most, of a share those that speak against it; None of what has no cases."""
    if kpi["kind"] == "gauge":
        return None
    path, limit = f"{_path(kpi['id'])}/cases", ("limit", _MOST_SHOWN)
    if kpi["kind"] in ("share", "attempts"):
        against = "hit" if kpi["good"] == "low" else "miss"
        found = client.get(path, [*asked, limit, ("counts_as", against)])
        if found["cases"]:
            return {**found, "counts_as": against}
    return {**client.get(path, [*asked, limit]), "counts_as": None}


def _of_which(kpi: Document, reading: Document) -> str:
    """Say which quantile a figure is, where it is one."""
    return f" ({kpi['headline']})" if kpi["headline"] and reading["figure"]["value"] is not None else ""


def _say_parts(out: Console, kpi: Document, reading: Document) -> None:
    beside, answer = reading["beside"], reading["answer"]
    for title, value in _sides(answer):
        out.print(f"  {title:<12} {value}")
    also = _also(kpi, answer)
    if also:
        out.print(f"  {also}")
    for line in _by_value(kpi, answer):
        out.print(f"  by value     {line}")
    for line in sums_by_currency(answer):
        out.print(f"    {line}")
    for line in _budget(answer):
        out.print(f"  budget       {line}")
    in_it = _in_it(kpi["kind"], beside)
    if in_it is not None:
        out.print(in_it)
    for word, count in beside["otherwise"].items():
        out.print(f"  otherwise    {count:,} {spoken(word)}")
    is_told = answer is not None and answer["kind"] == "share" and not answer["pending"]
    not_counted = beside["began"] - answer["of"] if answer is not None and is_told else 0
    if not_counted:
        until = "due" if kpi["unfinished"] == "late" else "over"
        out.print(f"  not counted  {not_counted:,}: not {until} yet, or ended otherwise before")
    for why, count in beside["unknown"].items():
        out.print(f"  unknown      {count:,}: {why}")
    if answer is not None and answer["kind"] == "lag" and answer["parts"] is not None:
        _say_latency(out, answer["parts"])
    if reading["known_to"]:
        out.print(f"  known up to  {_known_to(reading['known_to'])}")


def _in_it(kind: str, beside: Document) -> str | None:
    """Say how many are in a figure; None where it is of the last one alone."""
    match kind:
        case "age":
            return None
        case "attempts" | "count" | "sum":  # all of it was over at once
            return f"  in it        {beside['began']:,}"
        case "ratio" | "variance" | "balance" | "gauge":
            still = f", {beside['open']:,} not over yet" if beside["open"] else ""
            return f"  in it        {beside['done'] + sum(beside['otherwise'].values()):,}{still}"
        case _:
            return f"  began        {beside['began']:,}: {beside['done']:,} done, {beside['open']:,} unfinished"


def _known_to(at: str) -> str:
    """Say up to when sources have told; one that was never heard of has told nothing."""
    return "nothing told so far: a source that would tell has never reported" if at == _NEVER else f"{moment(at)} UTC"


def _sides(answer: Document | None) -> list[tuple[str, str]]:
    """Return what stands above and below the line of an answer that has one."""
    match answer:
        case {"kind": "share"}:
            if not answer["counted"]:  # it is read from the curve of all that began
                return [("decided", f"{answer['of']:,}, of which {answer['hits']:,} hit")]
            return [("numerator", f"{answer['hits']:,}"), ("denominator", f"{answer['of']:,}")]
        case {"kind": "pace", "hours": hours} if hours is not None:
            return [("numerator", records(answer["records"])), ("denominator", f"{_number(str(hours))} hours")]
        case {"kind": "ratio"}:
            return [(side, _number(answer[side])) for side in ("numerator", "denominator")]
        case {"kind": "variance"}:
            return [(side, _number(answer[side])) for side in ("forecast", "actual", "difference")]
        case _:
            return []


def _say_latency(out: Console, parts: Document) -> None:
    """Say of what latencies consist, and how many could not be split."""
    out.print(
        f"  split        {parts['split']:,} by the spans of their traces{_within(parts['error'], 'median and p90')}"
    )
    for name in LATENCY_PARTS if parts["waiting"] is not None else ():
        part = parts[name]
        quantiles = ", ".join(f"{each} {_short(part[each])}" for each in ("median", "p90", "mean"))
        share = "" if part["share"] is None else f": {_share(part['share'])} of the time"
        out.print(f"    {name:<10} {quantiles}{share}")
    for why, count in parts["not_split"].items():
        out.print(f"  not split    {count:,}: {why}")


def _short(seconds: float) -> str:
    return length(seconds) if seconds >= 10 else f"{seconds:.3g} s"


def cases(kpi: str, asked: Asked, where: Iterable[str], url: str | None, data: Path | None, as_json: bool) -> None:
    """Print the cases behind a figure."""
    client = Client(api_place(url, data))
    found = client.get(f"{_path(kpi)}/cases", [*asked, *_values(client, kpi, where)])
    if as_json:
        print_json(found)
        return
    out = console()
    _say_no_longer_kept(out, found)
    if not found["cases"]:
        out.print(
            "No case is behind it." if not found["no_longer_kept"] else "Of those that are kept none is behind it."
        )
        return
    out.print(_cases(client.get(_path(kpi))["kpi"], found["cases"]))
    say_more(out, found, "`throughline show TYPE VALUE` tells all about one.")


def _say_no_longer_kept(out: Console, behind: Document) -> None:
    gone = behind["no_longer_kept"]
    if gone:
        told = f"{gone:,} more {'is' if gone == 1 else 'are'} in the figure whose cases are no longer kept"
        out.print(f"{told}: `keep_days` says for how long they are.", style="dim", soft_wrap=True)


def _cases(kpi: Mapping[str, Any], lines: list[Document]) -> Table:
    columns = _columns(kpi)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("process", "name", *columns):
        right = title in ("took", "hours", "worth", "told")
        table.add_column(title, overflow="fold", justify="right" if right else "left")
    for each in lines:
        case = each["case"]
        name = key_text({"type": case["key_type"], "value": case["name"], "scope": case["scope"]})
        table.add_row(case["process"], name, *(_cell(kpi, title, each) for title in columns))
    return table


def _columns(kpi: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what is told of the cases behind a figure, by what it is made of."""
    match kpi["kind"]:
        case "ratio" | "variance" | "balance":
            return "brings", "of day", "told"
        case "attempts":
            return "at", "counts as", "worth"
        case "share":
            return "since", "ending", "counts as", "took", "worth"
        case _:
            return ("since", "ending", "took", *(("hours",) if kpi["unit"] == "hours" else ()), "worth")


def _cell(kpi: Mapping[str, Any], title: str, line: Document) -> str:
    match title:
        case "brings":
            return line["part"]
        case "of day":
            return line["day"] or "any"
        case "told":
            return _told(line)
        case "at" | "since":
            return moment(line["began"])
        case "ending":
            return spoken(line["word"] or line["ending"])
        case "counts as":
            return _counts_as(line)
        case "took":
            its_day = {**kpi, "day_seconds": line["day_seconds"]}
            return "–" if line["seconds"] is None else time_text(its_day, line["seconds"])
        case "hours":
            return line["hours"] or "unknown"
        case _:
            return _amount(line)


def _amount(line: Mapping[str, Any]) -> str:
    return "unknown" if line["amount"] is None else f"{line['currency']} {Decimal(line['amount']):,f}"


def _told(line: Mapping[str, Any]) -> str:
    """Write what a case brings to a comparison: money, a number, why it is of no use, or just that it was so."""
    if line["word"] is not None:
        return spoken(line["word"])
    if line["hours"] is not None:
        return _number(line["hours"])
    return _amount(line) if line["amount"] is not None else "–"


def _counts_as(line: Mapping[str, Any]) -> str:
    """Write what a line counts as in a share; of failures why they failed, of several alike how many."""
    category, times = line["dimensions"].get("category"), line["times"]
    why = f", {spoken(category)}" if category else ""
    return f"{line['counts_as']}{why}{f' × {times:,}' if times > 1 else ''}"


def risks(kpi: str, asked: Asked, where: Iterable[str], url: str | None, data: Path | None, as_json: bool) -> None:
    """Print what may miss its deadline."""
    client = Client(api_place(url, data))
    found = client.get(f"{_path(kpi)}/at-risk", [*asked, *_values(client, kpi, where)])
    if as_json:
        print_json(found)
        return
    out = console()
    if found["missed"]:
        out.print(f"{found['missed']:,} have missed their deadline and are open still.")
    if found["at_risk"]:
        _say_at_risk(out, found["at_risk"])
    else:
        out.print("No open work of it is due yet.")
    _say_calibration(out, found["calibration"])
    say_more(out, found)


def _say_at_risk(out: Console, at_risk: list[Document]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    passed = any(each["due_passed"] for each in at_risk)
    for title in (
        "process",
        "name",
        "due (UTC)",
        *(["told until (UTC)"] if passed else ()),
        "chance to miss it",
        "learnt from",
        "worth",
    ):
        table.add_column(title, overflow="fold")
    for each in at_risk:
        case, chance = each["case"], each["chance"]
        told = "" if not each["due_passed"] else moment(each["told_until"]) if each["told_until"] else "never"
        table.add_row(
            case["process"],
            key_text({"type": case["key_type"], "value": case["name"], "scope": case["scope"]}),
            moment(each["due"]),
            *([told] if passed else ()),
            "not known" if chance is None else f"{chance:.0%}",
            "–" if chance is None else f"{each['learnt_from']:,}" if each["learnt_from"] else "no time is left",
            "unknown" if each["amount"] is None else f"{each['currency']} {Decimal(each['amount']):,f}",
        )
    out.print(table)
    if passed:
        out.print("What a system has not told yet may be done, though its deadline has passed.", style="dim")


def _say_calibration(out: Console, calibration: list[Document]) -> None:
    """Say how good such chances were, or that nobody can say yet."""
    if not calibration:
        out.print(
            "How good such chances are nobody can say yet: nothing of the last 30 days had one and was decided.",
            style="dim",
        )
    for each in calibration:
        out.print(
            f"Of {each['count']:,} with a chance of {each['from']:.0%} to {each['to']:.0%} (mean {each['said']:.0%})"
            f" {each['missed']:.0%} missed it{_verdict(each)}.",
            style="dim",
        )


def _verdict(each: Document) -> str:
    """Say where chances were further from what came of them than so few records would be by accident."""
    if each["low"] <= each["said"] <= each["high"]:
        return ""
    return f": such chances were too {'high' if each['said'] > each['high'] else 'low'}"


def restatements(kpi: str, asked: Asked, url: str | None, data: Path | None, as_json: bool) -> None:
    """Print what was published and changed."""
    client = Client(api_place(url, data))
    found = client.get(f"{_path(kpi)}/restatements", asked)
    if as_json:
        print_json(found)
        return
    out = console()
    if not found["restatements"]:
        out.print("No published figure of it has changed.")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("of", "was", "published", "is", "since", "why"):
        table.add_column(title, overflow="fold")
    for each in found["restatements"]:
        table.add_row(
            f"{each['every']} {each['day']}",
            _published(each, "was"),
            moment(each["was_published"]),
            _published(each, "now"),
            moment(each["at"]),
            _why(each),
        )
    out.print(table)
    say_more(out, found)


def published(kpi: str, asked: Asked, url: str | None, data: Path | None, as_json: bool) -> None:
    """Print figures as they were published."""
    client = Client(api_place(url, data))
    found = client.get(f"{_path(kpi)}/published", asked)
    if as_json:
        print_json(found)
        return
    out = console()
    if not found["published"]:
        out.print("Nothing of it was published of these days.")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("of", "was told", "records", "version", "published", "why", "until"):
        table.add_column(title, overflow="fold", justify="right" if title == "records" else "left")
    for each in found["published"]:
        table.add_row(
            f"{each['every']} {each['day']}",
            _as_told(each["told_as"], each["value"], each["at_least"]),
            f"{each['records']:,}",
            each["version"],
            moment(each["published"]),
            each["why"],
            moment(each["replaced"]) if each["replaced"] else "it stands",
        )
    out.print(table)
    say_more(out, found)


def _why(each: Document) -> str:
    versions = "" if each["was_version"] == each["version"] else f": version {each['was_version']} → {each['version']}"
    return f"{each['why']}{versions}"


def _published(each: Document, side: str) -> str:
    """Write one value of a restatement in its own unit; where the two are told in different ways, with which it is."""
    value, at_least = each[side], each[f"{side}_at_least"]
    told, other = each["was_told_as"], each["told_as"]
    if side == "now":
        told, other = other, told
    text = _as_told(told, value, at_least)
    words = ("clock", "headline")
    if told is None or value is None or (other is not None and all(told[word] == other[word] for word in words)):
        return text
    return f"{text} ({', '.join(str(told[word]) for word in words if told[word])})"


def _as_told(told: Document | None, value: str | None, at_least: bool) -> str:
    """Write a published value in the unit that it was published in."""
    if told is None:
        return "no answer" if value is None else f"{'> ' if at_least else ''}{value} (its unit is not known)"
    return figure_text(told, {"value": value, "at_least": at_least, "unit": told["unit"], "currency": told["currency"]})


def backfill(wait: bool, url: str | None, data: Path | None, as_json: bool) -> None:
    """Have every figure worked out anew; ``wait`` until it is."""
    client = Client(api_place(url, data))
    answer, said = client.post(f"{KPIS}/backfill", {}), None
    while wait and (found := client.get(KPIS))["walking"]:
        if found["waits"] not in (None, said):
            said = found["waits"]
            print(f"{_sentence(said)}.", file=sys.stderr)
        time.sleep(_LOOK_SECONDS)
    if as_json:
        print_json(answer)
        return
    console().print(
        "Every case was looked at anew."
        if wait
        else "Every case is looked at anew; `throughline kpis list` says how far."
    )


def figure_text(kpi: Mapping[str, Any], figure: Mapping[str, Any]) -> str:
    """Write a figure of a KPI with its unit, as people say it."""
    value, unit = figure["value"], figure["unit"]
    if value is None:
        return "no answer"
    sign = "> " if figure["at_least"] else ""
    match unit:
        case "seconds":
            return f"{sign}{time_text(kpi, float(value))}"
        case "percent":
            return f"{sign}{_digits(100 * float(value), 1)}%"
        case "money":
            return f"{sign}{_money_of(figure)}"
        case "hours":
            return f"{sign}{Decimal(value):,f} h"
        case "records":
            return f"{sign}{float(value):,.0f}"
        case _:
            return f"{sign}{_digits(float(value), 2)} {spoken(unit)}"


def _digits(value: float, places: int) -> str:
    """Write a number with so many decimal places; one below 1 with as many from its first digit on that is not 0."""
    if value:
        places = max(places, places - 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{places}f}"


def _money_of(figure: Mapping[str, Any]) -> str:
    amount = f"{Decimal(figure['value']):,.2f}"
    return f"{figure['currency']} {amount}" if figure["currency"] else f"{amount} (its currency is not known)"


def time_text(kpi: Mapping[str, Any], seconds: float) -> str:
    """Write a length of time by the clock of a KPI: from a day on, business time in business days."""
    if kpi["clock"] == "business" and seconds >= kpi["day_seconds"]:
        return f"{seconds / kpi['day_seconds']:.1f} bd"
    return length(seconds)


def length(seconds: float) -> str:
    """Write a length of time in its two greatest units."""
    left, parts = round(seconds), list[str]()
    for name, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count or (name == "s" and not parts):
            parts.append(f"{count} {name}")
    return " ".join(parts[:2])


def _path(kpi: str) -> str:
    return f"{KPIS}/{quote(kpi, safe='')}"


def _values(client: Client, kpi: str, where: Iterable[str]) -> list[tuple[str, object]]:
    """Read DIMENSION=VALUE; raises StartRefused, also where the KPI is not told by such a dimension."""
    found: list[tuple[str, object]] = []
    for each in where:
        name, is_there, value = each.partition("=")
        if not is_there:
            raise StartRefused(f"--where: seen {each!r}, wanted DIMENSION=VALUE, such as region=EMEA")
        found.append((name, value))
    dimensions: list[str] = client.get(_path(kpi))["kpi"]["dimensions"] if found else []
    unknown = sorted({name for name, _ in found}.difference(dimensions))
    if unknown:
        wanted = ", ".join(dimensions) or "no dimension at all"
        raise StartRefused(f"--where: seen {', '.join(unknown)}, wanted {wanted}: those are what {kpi} is told by")
    return found
