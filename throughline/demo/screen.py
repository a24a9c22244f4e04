"""What the demo shows: progress while it runs, both sides of a comparison, and the page at the end."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from throughline.core.instants import parse_instant, to_datetime
from throughline.demo.firm import ENTITIES
from throughline.demo.play import Progress as Played
from throughline.demo.stuck import REPORTING, Group, in_reporting_currency, pieces
from throughline.demo.verify import Difference, Tally

PICTURE_COLUMNS = 100
SHOWN = 12  # groups that a person reads before the rest becomes a list
MANY = 3  # pieces of work that one cause holds up: such a group is shown whatever it is worth
BESIDES = {
    "duplicate": "posted twice",
    "out_of_order": "done in the wrong order",
    "overdue": "time of a week was never submitted",
    "policy_violation": "done against a rule",
    "skipped": "a step was left out",
}
_FONT = re.compile(r"@font-face\s*\{.*?\}\s*", re.DOTALL)


def moment(instant: int) -> str:
    """Write an instant for a person, in UTC."""
    return to_datetime(instant).strftime("%a %d %b %H:%M")


class Live:
    """A line that tells simulated time, reports and what the product knows, while the firm runs."""

    def __init__(self, console: Console, begins: int, ends: int) -> None:
        self._begins = begins
        self._bar = Progress(
            TextColumn("[bold]{task.fields[now]}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[said]}"),
            TimeElapsedColumn(),
            console=console,
        )
        self._task: TaskID = self._bar.add_task("play", total=ends - begins, now=moment(begins), said="")

    def show(self, played: Played, known: str) -> None:
        said = f"{played.reports:,} reports, {known}"
        self._bar.update(self._task, completed=played.now - self._begins, now=moment(played.now), said=said)

    def __enter__(self) -> Live:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()


def show_page(console: Console, now: int, counts: Counter[str], groups: Sequence[Group]) -> None:
    """Print the page of a finance owner: what is stuck, where, since when, worth how much, whose turn it is."""
    held = sum(group.count - group.elsewhere for group in groups)
    whole = in_reporting_currency(_together(groups))
    under_way = counts["open"] + counts["provisional"]
    console.print()
    console.print(f"[bold]Meridian Partners, {to_datetime(now).strftime('%A %d %B %Y, %H:%M')} UTC[/bold]")
    console.print(
        f"{sum(counts.values()):,} pieces of work watched: {counts['done']:,} through, {under_way:,} under way, "
        f"{counts['ended']:,} ended otherwise, {counts['not_applicable']:,} not billable. "
        f"[bold]{held:,} are held up, worth about {REPORTING} {whole:,.0f}.[/bold]"
    )
    console.print()
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right", no_wrap=True)
    table.add_column()
    shown = [group for place, group in enumerate(groups) if place < SHOWN or group.count >= MANY]
    for group in shown:
        what = f"{group.what}{where_of(group)} {group.place}"
        turn = f"\nsince {moment(group.since)}; turn: {group.turn}"
        table.add_row(worth_of(group), Text.assemble((what, "bold"), f": {group.why}", (turn, "dim")))
    console.print(table)
    console.print()
    show_rest(console, [group for group in groups if group not in shown])
    console.print(f"~ other currencies at the firm's rates to {REPORTING}.")


def show_rest(console: Console, groups: Sequence[Group]) -> None:
    """Print in a sentence what is worth less than the groups shown, by kind of work."""
    counts: Counter[str] = Counter()
    for group in groups:
        counts[group.process] += group.count - group.elsewhere
    counts = +counts
    if counts:
        worth = in_reporting_currency(_together(groups))
        console.print(f"And less, about {REPORTING} {worth:,.0f} in all, where it is known: {listed(counts)}.")


def listed(counts: Mapping[str, int]) -> str:
    return ", ".join(pieces(process, count) for process, count in sorted(counts.items(), key=lambda each: -each[1]))


def show_besides(console: Console, besides: Mapping[tuple[str, str], int]) -> None:
    """Print what is wrong though nothing waits for it, one line a kind."""
    kinds = sorted({kind for _, kind in besides})
    for kind in kinds:
        of_kind = {process: count for (process, each), count in besides.items() if each == kind}
        console.print(f"Nothing waits, but {BESIDES.get(kind, kind.replace('_', ' '))}: {listed(of_kind)}.")


def picture(page: Callable[[Console], None]) -> str:
    """Return what a page prints as an SVG that loads nothing from elsewhere."""
    console = Console(
        record=True, file=StringIO(), width=PICTURE_COLUMNS, force_terminal=True, color_system="truecolor"
    )
    page(console)
    return _FONT.sub("", console.export_svg(title="throughline demo"))


def where_of(group: Group) -> str:
    """Name the region, where all of it lies in one: amounts are in the currencies of its legal entities."""
    regions = {entity.region for entity in ENTITIES if entity.currency in group.money}
    return f" in {regions.pop()}" if len(regions) == 1 else ""


def worth_of(group: Group) -> str:
    """Write what a group is worth in the reporting currency, with a tilde where rates were used."""
    unknown = f" + {group.unknown:,} unknown" if group.unknown else ""
    if not group.money:
        return "unknown" if group.unknown else "counted further on"
    unknown += f" + {group.elsewhere:,} counted further on" if group.elsewhere else ""
    about = "~" if group.money.keys() - {REPORTING} else ""
    return f"{about}{REPORTING} {group.worth:,.0f}{unknown}"


def _together(groups: Iterable[Group]) -> dict[str, Decimal]:
    money: dict[str, Decimal] = {}
    for group in groups:
        for currency, amount in group.money.items():
            money[currency] = money.get(currency, Decimal(0)) + amount
    return money


def show_blind(console: Console, blind: Sequence[tuple[str, str]]) -> None:
    """Print which sources have fallen silent: their steps are not called overdue, and not called fine."""
    for source, since in blind:
        silent = moment(parse_instant(since))
        console.print(f"Not seen: {source} is silent since {silent}; what it should report is unconfirmed, not fine.")


def show_commands(console: Console, commands: Sequence[str]) -> None:
    console.print("\nAsk for any record by any of its ids, from another terminal:")
    for command in commands:
        console.print(f"  [bold]{command}[/bold]", soft_wrap=True, highlight=False)


def show_comparison(console: Console, truth: Tally, seen: Tally, differences: Sequence[Difference]) -> None:
    """Print both sides in sum, then every difference."""
    table = Table(title="What happened, and what was reconstructed", pad_edge=False, header_style="bold")
    for name, side in (("", "left"), ("truth", "right"), ("seen", "right")):
        table.add_column(name, justify="right" if side == "right" else "left")
    for left, right in ((truth.states, seen.states), (truth.deviations, seen.deviations)):
        for process, word in sorted(left.keys() | right.keys()):
            numbers = left[process, word], right[process, word]
            table.add_row(f"{process}: {word}", *map(str, numbers), style="red" if numbers[0] != numbers[1] else "")
        table.add_section()
    for currency in sorted(truth.money.keys() | seen.money.keys()):
        sums = truth.money.get(currency, Decimal(0)), seen.money.get(currency, Decimal(0))
        table.add_row(
            f"held up, {currency}", *(f"{one:,.2f}" for one in sums), style="red" if sums[0] != sums[1] else ""
        )
    console.print(table)
    for difference in differences:
        console.print(str(difference), style="red", soft_wrap=True, highlight=False, markup=False)


def commands_for(groups: Sequence[Group], api: str) -> list[str]:
    """Return three commands that look at something stuck: by its name, by another system's id of it, and as a list."""
    program = sys.argv[0] if Path(sys.argv[0]).name == "throughline" else "throughline"
    examples = [group.example for group in groups if group.process == "time-to-bill"]
    names = [("time_entry", each["name"]) for each in examples if each["key_type"] == "time_entry"]
    aliases = [(key["type"], key["value"]) for each in examples for key in each["keys"]["aliases"]]
    shown = [f"{program} show {kind} {value} --url http://{api}" for kind, value in (*names[:1], *aliases[:1])]
    return [*shown, f"{program} cases --process time-to-bill --deviation overdue --url http://{api}"]
