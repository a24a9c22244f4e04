"""The command line: ``throughline``. Commands load what they need when they run, so that help is there at once."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="throughline",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Json = Annotated[bool, typer.Option("--json", help="Print the document itself, as the API gives it.")]
Data = Annotated[Path | None, typer.Option("--data", metavar="DIR", help="Folder of the databases.")]
Definitions = Annotated[
    Path | None,
    typer.Option("--definitions", metavar="DIR", help="Folder of your own definitions, on top of the shipped pack."),
]
SettingsFile = Annotated[
    Path | None, typer.Option("--settings", metavar="FILE", help="A settings file (YAML); options win over it.")
]


def _say_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"throughline {version('throughline')}")
        raise typer.Exit


@app.callback()
def throughline(
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Watches a firm's business processes across its systems: where each record stands, what is stuck, its worth."""


@app.command()
def serve(
    data: Data = None,
    definitions: Definitions = None,
    http: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Where CloudEvents come in. Port 0 takes a free one.")
    ] = None,
    api: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="Where queries are answered.")] = None,
    otlp_http: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="Where OTLP over HTTP comes in.")] = None,
    otlp_grpc: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="Where OTLP over gRPC comes in.")] = None,
    clock: Annotated[
        str | None, typer.Option(metavar="SPEC", help="For tests and demos: scale=N, or a file with a time.")
    ] = None,
    bulk_limit: Annotated[
        int | None, typer.Option(metavar="N", help="The most cases one value may tie before it is set aside.")
    ] = None,
    log_level: Annotated[str | None, typer.Option(metavar="LEVEL", help="debug, info, warning or error.")] = None,
    log_format: Annotated[str | None, typer.Option(metavar="FORM", help="auto, console or json.")] = None,
    settings: SettingsFile = None,
    json: Json = False,
) -> None:
    """Take events in and answer queries, until stopped. `throughline settings` lists every setting."""
    from throughline.cli.serve import serve as run

    run(
        {
            "data": data,
            "definitions": definitions,
            "http": http,
            "api": api,
            "otlp_http": otlp_http,
            "otlp_grpc": otlp_grpc,
            "clock": clock,
            "bulk_limit": bulk_limit,
            "log_level": log_level,
            "log_format": log_format,
        },
        settings,
        json,
    )


def main() -> None:
    """Run the command line; what can be expected to fail is said in a sentence, without a traceback."""
    from throughline.core.errors import ThroughlineError

    try:
        app()
    except ThroughlineError as error:
        print(error, file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)


if __name__ == "__main__":
    main()
