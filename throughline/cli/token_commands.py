"""The commands ``tokens …``: who may send, ask and decide."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from throughline.cli.options import Json, Many

tokens = typer.Typer(help="Who may send, ask and decide.", no_args_is_help=True, rich_markup_mode=None)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Who shows it, such as psa-sync or ana.")]
File = Annotated[
    Path | None,
    typer.Option("--tokens", metavar="FILE", help="The file of tokens; by default that of the setting `tokens`."),
]
SettingsFile = Annotated[Path | None, typer.Option("--settings", metavar="FILE", help="A settings file (YAML).")]


@tokens.command("new")
def new(
    name: Name,
    kind: Annotated[
        str | None,
        typer.Option(metavar="KIND", help="sender, a program (by default), or person, who alone may write."),
    ] = None,
    scope: Annotated[
        Many,
        typer.Option(
            metavar="SCOPE",
            help="ingest, read, write; by default ingest for a sender, the others for a person.",
        ),
    ] = None,
    source: Annotated[
        Many,
        typer.Option(metavar="SOURCE", help="It may send events of this source only; /psa/* for all that begin so."),
    ] = None,
    mapping: Annotated[
        Many, typer.Option(metavar="MAPPING", help="It may send under this mapping only, at /v1/json/.")
    ] = None,
    rate: Annotated[
        float | None, typer.Option(metavar="N", help="The most records a second that it may send, on average.")
    ] = None,
    burst: Annotated[
        int | None, typer.Option(metavar="N", help="How many may come at once; by default 10 seconds of the rate.")
    ] = None,
    expires: Annotated[
        str | None, typer.Option(metavar="TIME", help="When the secret expires: a date, or an RFC 3339 time.")
    ] = None,
    file: File = None,
    settings: SettingsFile = None,
    json: Json = False,
) -> None:
    """Make a token and print its secret, this once: the file keeps a digest of it. For a name that is there, a further
    secret of the same token: give it out, then revoke the old one.

    throughline tokens new psa-sync --tokens tokens.yaml
    """
    from throughline.cli.tokens import Rights, new_token

    rights = Rights(kind, tuple(scope or ()), tuple(source or ()), tuple(mapping or ()), rate, burst)
    new_token(name, rights, expires, file, settings, json)


@tokens.command("list")
def list_tokens(file: File = None, settings: SettingsFile = None, json: Json = False) -> None:
    """List all tokens: who shows them, what they are good for, and their secrets by id."""
    from throughline.cli.tokens import list_tokens as run

    run(file, settings, json)


@tokens.command("revoke")
def revoke(
    name: Name,
    id: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="Only this secret, as `tokens list` calls it.")
    ] = None,
    former: Annotated[bool, typer.Option("--former", help="All its secrets but the latest.")] = False,
    file: File = None,
    settings: SettingsFile = None,
) -> None:
    """Take a token away, or some of its secrets. A running serve takes no more of them within seconds."""
    from throughline.cli.tokens import revoke as run

    if former and id is not None:
        raise typer.BadParameter("give --id or --former, not both")
    run(name, id, former, file, settings)
