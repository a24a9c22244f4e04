"""The commands ``statements …``: what people say of links and exceptions."""

from __future__ import annotations

from typing import Annotated

import typer

from throughline.cli.options import Cursor, Data, Json, Limit, Url

statements = typer.Typer(
    help="What people said of links and exceptions, and saying it.", no_args_is_help=True, rich_markup_mode=None
)

From = Annotated[str, typer.Argument(metavar="KEY", help="Such as time_entry=TE-2, its scope behind commas.")]
To = Annotated[str, typer.Argument(metavar="KEY", help="Such as invoice=INV-1,legal_entity=DE01.")]
Events = Annotated[
    list[str] | None, typer.Option("--event", metavar="SOURCE#ID", help="Of this event; several: of each.")
]
All = Annotated[bool, typer.Option("--all", help="Of the pair as such; where no event is given, always.")]
Process = Annotated[str | None, typer.Option(metavar="NAME", help="In this process only.")]
Why = Annotated[str, typer.Option(metavar="TEXT", help="Why, for those who come later.")]
By = Annotated[str | None, typer.Option(metavar="NAME", help="Who says it; by default who is logged in here.")]
CaseProcess = Annotated[str, typer.Argument(metavar="PROCESS", help="Such as time-to-bill.")]
Case = Annotated[str, typer.Argument(metavar="KEY", help="The case, such as time_entry=TE-88.")]
Deviation = Annotated[str | None, typer.Option(metavar="KIND", help="Exceptions of this kind, such as overdue.")]
Step = Annotated[str | None, typer.Option(metavar="STEP", help="Exceptions at this step.")]
Round = Annotated[int | None, typer.Option(metavar="N", help="Exceptions of this round.")]
Every = Annotated[bool, typer.Option("--all", help="Every one of the case.")]


@statements.command("list")
def list_statements(
    limit: Limit = None, cursor: Cursor = None, url: Url = None, data: Data = None, json: Json = False
) -> None:
    """List what people said, newest first."""
    from throughline.cli.statements import list_statements as run

    run(limit, cursor, url, data, json)


@statements.command("link")
def link(
    from_key: From,
    to_key: To,
    why: Why,
    event: Events = None,
    all: All = False,
    process: Process = None,
    by: By = None,
    url: Url = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Say that two keys belong together.

    throughline statements link time_entry=TE-2 billing_event=B-1 --why "it was the right run after all"
    """
    from throughline.cli.statements import state_pair as run

    run("link", (from_key, to_key), event or [], all, process, by, why, url, data, json)


@statements.command("unlink")
def unlink(
    from_key: From,
    to_key: To,
    why: Why,
    event: Events = None,
    all: All = False,
    process: Process = None,
    by: By = None,
    url: Url = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Say that two keys do not belong together; with --event, that event is taken off the case too.

    throughline statements unlink time_entry=TE-2 billing_event=B-1 --all --event /erp#3 --why "wrong billing run"
    """
    from throughline.cli.statements import state_pair as run

    run("unlink", (from_key, to_key), event or [], all, process, by, why, url, data, json)


@statements.command("accept")
def accept(
    process: CaseProcess,
    case: Case,
    why: Why,
    accepted_as: Annotated[str, typer.Option("--as", metavar="WAY", help="waived, written_off or handled_elsewhere.")],
    deviation: Deviation = None,
    step: Step = None,
    round: Round = None,
    all: Every = False,
    by: By = None,
    url: Url = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Settle open exceptions of a case that no evidence will close; contrary evidence opens them again.

    throughline statements accept time-to-bill time_entry=TE-88 --deviation failed --as waived --why "billed by hand"
    """
    from throughline.cli.statements import state_exception as run

    which = (deviation, step, round, all)
    run("accept", process, case, accepted_as, which, by, why, url, data, json)


@statements.command("withdraw")
def withdraw(
    process: CaseProcess,
    case: Case,
    why: Why,
    deviation: Deviation = None,
    step: Step = None,
    round: Round = None,
    all: Every = False,
    by: By = None,
    url: Url = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Take the acceptance of exceptions back: they are open again.

    throughline statements withdraw time-to-bill time_entry=TE-88 --all --why "it was not billed after all"
    """
    from throughline.cli.statements import state_exception as run

    run("withdraw", process, case, None, (deviation, step, round, all), by, why, url, data, json)
