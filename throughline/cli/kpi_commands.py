"""The commands ``kpis …``: figures, how they came about, and what is behind them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from throughline.cli.options import Cursor, Data, Json, Limit, Many, Url

kpis = typer.Typer(
    help="Figures of the processes: what they are, how they came about, what is behind them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Kpi = Annotated[str, typer.Argument(metavar="KPI", help="Such as billing-readiness-lag.")]
First = Annotated[str | None, typer.Option("--from", metavar="DAY", help="The first day (YYYY-MM-DD).")]
Last = Annotated[str | None, typer.Option("--to", metavar="DAY", help="The last day, included; by default today.")]
By = Annotated[Many, typer.Option(metavar="DIMENSION", help="Told apart by it, such as region; several: by all.")]
Where = Annotated[Many, typer.Option(metavar="DIMENSION=VALUE", help="Only of this value, such as region=EMEA.")]
Each = Annotated[str | None, typer.Option("--every", metavar="WORD", help="For each day, week or month.")]


@kpis.command("list")
def list_kpis(url: Url = None, data: Data = None, json: Json = False) -> None:
    """List every KPI with its reading of now, against its target and the days before."""
    from throughline.cli.kpis import list_kpis as run

    run(url, data, json)


@kpis.command("show")
def show_kpi(
    kpi: Kpi,
    first: First = None,
    last: Last = None,
    every: Each = None,
    by: By = None,
    where: Where = None,
    equal_maturity: Annotated[
        bool, typer.Option("--equal-maturity", help="Of lags: each window as it stood as long after its end.")
    ] = False,
    url: Url = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Show the readings of a KPI: of some days, by dimensions, or as a trend.

    throughline kpis show sync-latency --by flow --every week
    """
    from throughline.cli.kpis import show_kpi as run

    asked: list[tuple[str, object]] = [("from", first), ("to", last), ("every", every)]
    asked += [("by", each) for each in by or ()]
    asked += [("equal_maturity", "true")] if equal_maturity else []
    run(kpi, asked, where or (), url, data, json)


@kpis.command("explain")
def explain(
    kpi: Kpi,
    first: First = None,
    last: Last = None,
    where: Where = None,
    url: Url = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Say how a figure came about: its formula, what is in it, what is left out, and what weighs most."""
    from throughline.cli.kpis import explain as run

    run(kpi, [("from", first), ("to", last)], where or (), url, data, json)


@kpis.command("cases")
def cases(
    kpi: Kpi,
    first: First = None,
    last: Last = None,
    where: Where = None,
    ending: Annotated[
        Many, typer.Option(metavar="WORD", help="done, competing, open or unknown; several: any of these.")
    ] = None,
    at_least: Annotated[int | None, typer.Option(metavar="SECONDS", help="Only what took at least so long.")] = None,
    below: Annotated[int | None, typer.Option(metavar="SECONDS", help="Only what took less.")] = None,
    counts_as: Annotated[
        Many, typer.Option(metavar="WORD", help="Of a share: hit (in the numerator), miss, pending or neither.")
    ] = None,
    limit: Limit = None,
    cursor: Cursor = None,
    url: Url = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """List the cases behind a figure, or behind a part of its distribution; what weighs most first."""
    from throughline.cli.kpis import cases as run

    asked: list[tuple[str, object]] = [("from", first), ("to", last), ("at_least", at_least), ("below", below)]
    asked += [("ending", each) for each in ending or ()] + [("counts_as", each) for each in counts_as or ()]
    run(kpi, [*asked, ("limit", limit), ("cursor", cursor)], where or (), url, data, json)


@kpis.command("risks")
def risks(
    kpi: Annotated[str, typer.Argument(metavar="KPI", help="One with a deadline, such as sla-adherence.")],
    where: Where = None,
    limit: Limit = None,
    cursor: Cursor = None,
    url: Url = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """List open work that may miss its deadline, with the chance of that, and how good such chances were."""
    from throughline.cli.kpis import risks as run

    run(kpi, [("limit", limit), ("cursor", cursor)], where or (), url, data, json)


@kpis.command("signals")
def signals(
    kpi: Annotated[Many, typer.Option(metavar="KPI", help="Of this one; several: of these. By default of all.")] = None,
    kind: Annotated[Many, typer.Option(metavar="WORD", help="reading or risk; by default both.")] = None,
    by: Annotated[Many, typer.Option(metavar="DIMENSION", help="Readings apart by it, such as flow.")] = None,
    limit: Limit = None,
    cursor: Cursor = None,
    url: Url = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """List the numbers that rules of alerts look at: readings of now, and chances of open work to miss its deadline.

    throughline kpis signals --kind risk --kpi sla-adherence
    """
    from throughline.cli.signals import signals as run

    asked: list[tuple[str, object]] = [("name", each) for each in kpi or ()]
    asked += [("kind", each) for each in kind or ()] + [("by", each) for each in by or ()]
    run([*asked, ("limit", limit), ("cursor", cursor)], url, data, json)


@kpis.command("published")
def published(
    kpi: Kpi,
    every: Annotated[
        str | None, typer.Option("--every", metavar="WORD", help="Only those of a day, or a month.")
    ] = None,
    first: First = None,
    last: Last = None,
    standing: Annotated[bool, typer.Option("--standing", help="Only those that no other took the place of.")] = False,
    limit: Limit = None,
    cursor: Cursor = None,
    url: Url = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """List figures of days and months as they were published, and until when each stood."""
    from throughline.cli.kpis import published as run

    asked: list[tuple[str, object]] = [("every", every), ("from", first), ("to", last)]
    asked += [("standing", "true" if standing else None), ("limit", limit), ("cursor", cursor)]
    run(kpi, asked, url, data, json)


@kpis.command("restatements")
def restatements(
    kpi: Kpi, limit: Limit = None, cursor: Cursor = None, url: Url = None, data: Data = None, json: Json = False
) -> None:
    """List published figures that changed: the old and the new one, when and why."""
    from throughline.cli.kpis import restatements as run

    run(kpi, [("limit", limit), ("cursor", cursor)], url, data, json)


@kpis.command("backfill")
def backfill(
    wait: Annotated[bool, typer.Option("--wait", help="Return once every case has been looked at.")] = False,
    url: Url = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Work every figure out anew, from all cases that are kept; published ones that change are restated."""
    from throughline.cli.kpis import backfill as run

    run(wait, url, data, json)


@kpis.command("export")
def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write: .csv or .parquet.")],
    kpi: Annotated[Many, typer.Option(metavar="KPI", help="Of this one; several: of these. By default of all.")] = None,
    first: First = None,
    last: Last = None,
    every: Each = None,
    by: By = None,
    url: Url = None,
    data: Data = None,
) -> None:
    """Write readings to a file, a line for each: CSV, or Parquet for tools of analysis.

    throughline kpis export readings.csv --every month --by region
    """
    from throughline.cli.kpi_export import export as run

    asked: list[tuple[str, object]] = [("from", first), ("to", last), ("every", every)]
    run(file, kpi or (), asked, by or (), url, data)
