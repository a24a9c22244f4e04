"""The commands ``quarantine …``: what was set aside, why, and taking it again."""

from __future__ import annotations

from typing import Annotated

import typer

from throughline.cli.options import Cursor, Data, Json, Limit, Url

quarantine = typer.Typer(
    help="What was set aside, why, and taking it again.", no_args_is_help=True, rich_markup_mode=None
)

Reason = Annotated[str | None, typer.Option(metavar="WORD", help="Set aside for this reason, such as bad_time.")]
EventType = Annotated[str | None, typer.Option("--type", metavar="TYPE", help="Of this type of event.")]
Source = Annotated[str | None, typer.Option(metavar="SOURCE", help="From this source.")]


@quarantine.command("list")
def list_entries(
    reason: Reason = None,
    type: EventType = None,
    source: Source = None,
    taken: Annotated[
        bool | None, typer.Option("--taken/--waiting", help="Only what a replay has taken, or has not.")
    ] = None,
    limit: Limit = None,
    cursor: Cursor = None,
    url: Url = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """List what was set aside, in order of arrival, with the reason."""
    from throughline.cli.quarantine import list_entries as run

    run([("reason", reason), ("type", type), ("source", source)], taken, limit, cursor, url, data, json)


@quarantine.command("show")
def show_entry(
    id: Annotated[str, typer.Argument(metavar="ID", help="Such as q17.")],
    url: Url = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Show one entry, with what came in; what looks like a secret is masked."""
    from throughline.cli.quarantine import show_entry as run

    run(id, url, data, json)


@quarantine.command("replay")
def replay(
    ids: Annotated[list[str] | None, typer.Argument(metavar="ID…", help="Such as q17.", show_default=False)] = None,
    reason: Reason = None,
    type: EventType = None,
    source: Source = None,
    all: Annotated[bool, typer.Option("--all", help="All that no replay has taken yet.")] = False,
    by: Annotated[str | None, typer.Option(metavar="NAME", help="Who does it; by default who is logged in.")] = None,
    url: Url = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Take again what was set aside: by its ids, or all that fits. What was taken once is not taken twice.

    throughline quarantine replay --reason bad_time --source /erp
    """
    from throughline.cli.quarantine import replay as run

    given = [("reason", reason), ("type", type), ("source", source)]
    narrowed = all or any(value is not None for _, value in given)
    if bool(ids) == narrowed:
        raise typer.BadParameter("give the ids of entries, or --reason, --type, --source or --all")
    if not run(ids or [], given, by, url, data, json):
        raise typer.Exit(1)
