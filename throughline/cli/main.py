"""The command line: ``throughline``. Commands load what they need when they run, so that help is there at once."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from throughline.cli.kpi_commands import kpis
from throughline.cli.options import Cursor, Data, Json, Limit, Many, Url
from throughline.cli.quarantine_commands import quarantine
from throughline.cli.statement_commands import statements
from throughline.cli.token_commands import tokens

app = typer.Typer(
    name="throughline",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

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


Given = str | None  # settings reads it, and says what is wrong of all sources at once


@app.command()
def serve(
    data: Annotated[Given, typer.Option(metavar="DIR", help="Folder of the databases; it is made if need be.")] = None,
    definitions: Annotated[
        Given,
        typer.Option(
            metavar="DIR", help="Folder of your own processes, estate.yaml and more, on top of the shipped pack."
        ),
    ] = None,
    store: Annotated[
        Given,
        typer.Option(
            metavar="URL",
            help="URL of a PostgreSQL database that holds the store; none: store.db in the data folder.",
        ),
    ] = None,
    http: Annotated[
        Given,
        typer.Option(
            metavar="HOST:PORT", help="Where CloudEvents come in, and the collector's health. Port 0 takes a free one."
        ),
    ] = None,
    api: Annotated[
        Given, typer.Option(metavar="HOST:PORT", help="Where queries are answered, and health and metrics.")
    ] = None,
    otlp_http: Annotated[Given, typer.Option(metavar="HOST:PORT", help="Where OTLP over HTTP comes in.")] = None,
    otlp_grpc: Annotated[Given, typer.Option(metavar="HOST:PORT", help="Where OTLP over gRPC comes in.")] = None,
    tokens: Annotated[
        Given,
        typer.Option(
            metavar="FILE", help="A file of who may send, ask and decide; none: doors on this machine take everybody."
        ),
    ] = None,
    tls_certificate: Annotated[
        Given,
        typer.Option(
            metavar="FILE", help="A certificate with its chain (PEM), with which every door speaks TLS; needs tls_key."
        ),
    ] = None,
    tls_key: Annotated[
        Given, typer.Option(metavar="FILE", help="The private key of tls_certificate (PEM), without a passphrase.")
    ] = None,
    clock: Annotated[
        Given,
        typer.Option(
            metavar="SPEC", help="real; for tests and demos scale=N, scale=N,from=TIME or a file with a time."
        ),
    ] = None,
    body_bytes: Annotated[Given, typer.Option(metavar="SIZE", help="The largest body of a request, as sent.")] = None,
    inflated_bytes: Annotated[Given, typer.Option(metavar="SIZE", help="The largest body once decompressed.")] = None,
    nesting: Annotated[Given, typer.Option(metavar="N", help="The deepest nesting of a JSON body.")] = None,
    header_bytes: Annotated[
        Given, typer.Option(metavar="SIZE", help="The largest headers of a request together.")
    ] = None,
    connections: Annotated[Given, typer.Option(metavar="N", help="The most connections to one door at a time.")] = None,
    request_seconds: Annotated[
        Given, typer.Option(metavar="SECONDS", help="The longest that a request may take to arrive.")
    ] = None,
    queue_bytes: Annotated[
        Given, typer.Option(metavar="SIZE", help="The most bytes waiting for the journal; beyond it doors refuse.")
    ] = None,
    free_bytes: Annotated[
        Given,
        typer.Option(metavar="SIZE", help="Space that is kept free on the data folder's disk; below it doors refuse."),
    ] = None,
    unfolded_hours: Annotated[
        Given,
        typer.Option(metavar="HOURS", help="How long what came in may wait for the engine; beyond it doors refuse."),
    ] = None,
    orphan_hours: Annotated[
        Given, typer.Option(metavar="HOURS", help="How long an event waits for its case before it is an orphan.")
    ] = None,
    bulk_limit: Annotated[
        Given,
        typer.Option(
            metavar="N", help="The most cases that may hold one carrier before its events are shown with it only."
        ),
    ] = None,
    fan_out_limit: Annotated[
        Given, typer.Option(metavar="N", help="An event that reaches more cases is derived in later batches.")
    ] = None,
    keep_days: Annotated[
        Given,
        typer.Option(
            metavar="DAYS",
            help="Days that a case and its events are kept once it is closed, from the receipt of the last on.",
        ),
    ] = None,
    journal_days: Annotated[
        Given,
        typer.Option(metavar="DAYS", help="Days that the journal keeps what came in as it came, once it is folded."),
    ] = None,
    journal_bytes: Annotated[
        Given,
        typer.Option(metavar="SIZE", help="The most that the journal keeps; beyond it the oldest goes first."),
    ] = None,
    log_level: Annotated[
        Given, typer.Option(metavar="LEVEL", help="The least level of log lines: debug to error.")
    ] = None,
    log_format: Annotated[
        Given, typer.Option(metavar="FORM", help="auto, console or json; auto is json off a terminal.")
    ] = None,
    settings: SettingsFile = None,
    json: Json = False,
) -> None:
    """Take events in and answer queries, until stopped. `throughline settings` shows every setting and its value."""
    given = {name: value for name, value in locals().items() if name not in ("settings", "json")}
    from throughline.cli.serve import serve as run

    run(given, settings, json)


@app.command()
def show(
    key_type: Annotated[
        str | None, typer.Argument(metavar="TYPE", help="A type of key, such as time_entry.", show_default=False)
    ] = None,
    value: Annotated[str | None, typer.Argument(metavar="VALUE", help="Its value.", show_default=False)] = None,
    trace: Annotated[str | None, typer.Option(metavar="ID", help="Show the cases of a trace instead.")] = None,
    scope: Annotated[
        Many, typer.Option(metavar="FIELD=VALUE", help="Who issued the number, such as legal_entity=DE01.")
    ] = None,
    limit: Limit = None,
    cursor: Cursor = None,
    url: Url = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Show all about a record, by any key of any system: where its cases stand, and why each event belongs.

    throughline show time_entry TE-88
    """
    from throughline.cli.show import show as run

    if (trace is None) == (key_type is None or value is None):
        raise typer.BadParameter("give a TYPE and a VALUE, such as `throughline show time_entry TE-88`, or --trace ID")
    key = (key_type, value) if key_type is not None and value is not None else None
    if not run(key, trace, scope or [], limit or 20, cursor, url, data, json):
        raise typer.Exit(1)


@app.command()
def cases(
    process: Annotated[Many, typer.Option(metavar="NAME", help="Of this process; several: of any.")] = None,
    state: Annotated[
        Many, typer.Option(metavar="STATE", help="open, done, ended, provisional, not_applicable.")
    ] = None,
    deviation: Annotated[Many, typer.Option(metavar="KIND", help="With an open deviation, such as overdue.")] = None,
    step: Annotated[str | None, typer.Option(metavar="STEP", help="Waiting for it, or deviating at it.")] = None,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="With an event at or after it (RFC 3339).")] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Begun before it (RFC 3339).")] = None,
    min_amount: Annotated[str | None, typer.Option(metavar="AMOUNT", help="Holding up at least this.")] = None,
    max_amount: Annotated[str | None, typer.Option(metavar="AMOUNT", help="Holding up at most this.")] = None,
    currency: Annotated[str | None, typer.Option(metavar="CODE", help="Holding up an amount in this currency.")] = None,
    limit: Limit = None,
    cursor: Cursor = None,
    url: Url = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """List cases, by process, then name: what each waits for, what it holds up, and where it left its process."""
    from throughline.cli.cases import cases as run

    filters: list[tuple[str, object]] = [
        ("step", step),
        ("since", since),
        ("until", until),
        ("min_amount", min_amount),
        ("max_amount", max_amount),
        ("currency", currency),
        ("limit", limit),
        ("cursor", cursor),
    ]
    for name, values in (("process", process), ("state", state), ("deviation", deviation)):
        filters += [(name, each) for each in values or ()]
    run(filters, url, data, json)


@app.command("import")
def import_log(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An event log; it may be under gzip.")],
    format: Annotated[
        str, typer.Option(metavar="FORM", help="auto, ndjson, ocel-json, ocel-sqlite, xes or csv.")
    ] = "auto",
    source: Annotated[
        str | None, typer.Option(metavar="SOURCE", help="The source of its events; by default /log/ and its name.")
    ] = None,
    type_prefix: Annotated[
        str | None, typer.Option(metavar="WORD", help="What event types begin with; by default ocel, xes or csv.")
    ] = None,
    key: Annotated[
        str | None, typer.Option(metavar="TYPE", help="XES and CSV: the key type of a case; by default case.")
    ] = None,
    names: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A file (YAML) that names types, keys and fields otherwise.")
    ] = None,
    zone: Annotated[
        str | None, typer.Option(metavar="ZONE", help="The time zone of times that name none, such as Europe/Berlin.")
    ] = None,
    mapping: Annotated[
        str | None, typer.Option(metavar="NAME", help="CSV: send each row through this mapping instead.")
    ] = None,
    case_column: Annotated[str, typer.Option(metavar="COLUMN", help="CSV: the case.")] = "case",
    activity_column: Annotated[str, typer.Option(metavar="COLUMN", help="CSV: what happened.")] = "activity",
    time_column: Annotated[str, typer.Option(metavar="COLUMN", help="CSV: when.")] = "timestamp",
    id_column: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="CSV: the id of each event, where it has one.")
    ] = None,
    transition_column: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="CSV: start, complete and the like, where it says so.")
    ] = None,
    history: Annotated[
        bool, typer.Option("--history", help="Take in events that are older than what is kept, too.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what the events would be called; send nothing.")
    ] = False,
    url: Annotated[
        str | None, typer.Option("--url", metavar="URL", help="Where events are taken, such as http://127.0.0.1:4380.")
    ] = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Bring an event log: XES, OCEL 2.0, CSV or CloudEvents a line. Run again, it goes on, and nothing counts twice."""
    from throughline.cli.import_log import import_log as run
    from throughline.exchange.csv_file import Columns
    from throughline.exchange.formats import Reading

    columns = Columns(case_column, activity_column, time_column, id_column, transition_column)
    reading = Reading(format, source, type_prefix, key, names, zone, mapping, columns, history)
    if not run(file, reading, dry_run, url, data, json):
        raise typer.Exit(1)


@app.command()
def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write; a file of that name is replaced.")],
    format: Annotated[str, typer.Option(metavar="FORM", help="ndjson, ocel-json or ocel-sqlite.")] = "ndjson",
    process: Annotated[
        Many, typer.Option(metavar="NAME", help="Events that this process declares; several: any.")
    ] = None,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="Events of this time or later (RFC 3339).")] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Events before it (RFC 3339).")] = None,
    url: Url = None,
    data: Data = None,
) -> None:
    """Write the events that count to a file: CloudEvents a line, or OCEL 2.0 for tools of process mining."""
    from throughline.cli.export import export as run

    filters: list[tuple[str, object]] = [("since", since), ("until", until)]
    run(file, format, filters + [("process", each) for each in process or ()], url, data)


@app.command()
def orphans(
    process: Annotated[Many, typer.Option(metavar="NAME", help="Waiting for a case of it; several: of any.")] = None,
    key_type: Annotated[str | None, typer.Option("--type", metavar="TYPE", help="At a key of this type.")] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Waiting since before it (RFC 3339).")] = None,
    limit: Limit = None,
    cursor: Cursor = None,
    url: Url = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """List values whose events have waited too long for a case that holds them, oldest first."""
    from throughline.cli.cases import orphans as run

    filters: list[tuple[str, object]] = [("type", key_type), ("until", until), ("limit", limit), ("cursor", cursor)]
    filters += [("process", each) for each in process or ()]
    run(filters, url, data, json)


processes = typer.Typer(
    help="What should happen: the shipped processes and your own.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(processes, name="processes")
app.add_typer(kpis, name="kpis")
app.add_typer(statements, name="statements")
app.add_typer(quarantine, name="quarantine")
app.add_typer(tokens, name="tokens")


@processes.command("list")
def list_processes(definitions: Definitions = None, json: Json = False) -> None:
    """List every process."""
    from throughline.cli.processes import list_processes as run

    run(definitions, json)


@processes.command("show")
def show_process(
    name: Annotated[str, typer.Argument(metavar="PROCESS", help="Such as time-to-bill.")],
    definitions: Definitions = None,
    json: Json = False,
) -> None:
    """Show one process: its keys, its steps with their deadlines, its endings and checks."""
    from throughline.cli.processes import show_process as run

    run(name, definitions, json)


@processes.command("validate")
def validate(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder of definitions.")], json: Json = False
) -> None:
    """Check a folder of definitions, and say every fault with its file, line and what was wanted."""
    from throughline.cli.processes import validate as run

    if not run(folder, json):
        raise typer.Exit(1)


mappings = typer.Typer(
    help="What systems send in their own words, and the events that it becomes.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(mappings, name="mappings")


@mappings.command("list")
def list_mappings(definitions: Definitions = None, json: Json = False) -> None:
    """List every mapping of your definitions."""
    from throughline.cli.mappings import list_mappings as run

    run(definitions, json)


@mappings.command("show")
def show_mapping(
    name: Annotated[str, typer.Argument(metavar="MAPPING", help="Such as erp-invoice.")],
    definitions: Definitions = None,
    json: Json = False,
) -> None:
    """Show one mapping: which inputs it is for, and where each value comes from."""
    from throughline.cli.mappings import show_mapping as run

    run(name, definitions, json)


@mappings.command("validate")
def validate_mappings(definitions: Definitions = None, json: Json = False) -> None:
    """Check every mapping, and say every fault with its file, line and what was wanted."""
    from throughline.cli.mappings import validate as run

    if not run(definitions, json):
        raise typer.Exit(1)


@mappings.command("try")
def try_mappings(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Samples: JSON, NDJSON, OTLP/JSON, or as curl saved it.")
    ],
    mapping: Annotated[str | None, typer.Option(metavar="NAME", help="Hold them against this mapping only.")] = None,
    definitions: Definitions = None,
    json: Json = False,
) -> None:
    """Show what each sample would become, by which mapping, and the processes that it would reach."""
    from throughline.cli.mappings import try_file as run

    if not run(file, mapping, definitions, json):
        raise typer.Exit(1)


@app.command()
def rebuild(
    preview: Annotated[bool, typer.Option("--preview", help="Only say what would change, and change nothing.")] = False,
    data: Data = None,
    store: Annotated[
        str | None, typer.Option(metavar="URL", help="The database of the store, where serve has it in one.")
    ] = None,
    definitions: Definitions = None,
    clock: Annotated[
        str | None, typer.Option(metavar="SPEC", help="For tests and demos: the clock that serve runs by.")
    ] = None,
    patience: Annotated[
        float, typer.Option(metavar="SECONDS", help="How long a running serve may take to take it over.")
    ] = 60.0,
    settings: SettingsFile = None,
    json: Json = False,
) -> None:
    """Make the store anew from its events with the definitions as they are now; a running serve takes it over."""
    from throughline.cli.rebuild import rebuild_store as run

    run({"data": data, "store": store, "definitions": definitions, "clock": clock}, settings, preview, patience, json)


@app.command()
def backup(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where the backup goes; it must not be there yet.")],
    data: Data = None,
    json: Json = False,
) -> None:
    """Copy the data folder into a backup while serve runs: each file one state, with its digest."""
    from throughline.cli.backup import backup as run

    run(folder, data, json)


@app.command()
def restore(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A backup.")],
    data: Data = None,
    check: Annotated[bool, typer.Option("--check", help="Only see that the backup is whole.")] = False,
    only_store: Annotated[
        bool, typer.Option("--only-store", help="Put its store in the place of one that is damaged.")
    ] = False,
    json: Json = False,
) -> None:
    """Check a backup by its digests and put it into a data folder that holds no data yet."""
    from throughline.cli.backup import restore_backup, restore_only_store

    if only_store and not check:
        restore_only_store(folder, data, json)
    else:
        restore_backup(folder, data, check, json)


@app.command()
def verify(
    data: Data = None,
    store: Annotated[
        str | None, typer.Option(metavar="URL", help="The database of the store, where serve has it in one.")
    ] = None,
    json: Json = False,
) -> None:
    """Read every file of the data folder whole, beside a running serve or not, and say whether it is damaged."""
    from throughline.cli.backup import verify_files as run

    if not run(data, store, json):
        raise typer.Exit(1)


@app.command()
def check(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="CloudEvents or other JSON, one a line, or an array.", show_default=False),
    ] = None,
    mapping: Annotated[
        str | None, typer.Option(metavar="NAME", help="JSON of any form, as it comes in under this mapping's name.")
    ] = None,
    last: Annotated[
        str | None, typer.Option(metavar="TIME", help="What came in of late instead, such as 1h, 30m or 7d.")
    ] = None,
    definitions: Definitions = None,
    url: Url = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Check how well flows report: which events reach a process by a key, and what to change for the others.

    throughline check events.ndjson
    """
    from throughline.cli.check import check_file, check_last

    if (file is None) == (last is None) or (file is None and mapping is not None):
        raise typer.BadParameter("give a FILE of what is sent, or --last with a time such as 1h")
    well = check_file(file, mapping, definitions, json) if file is not None else None
    if last is not None:
        well = check_last(last, definitions, url, data, json)
    if not well:
        raise typer.Exit(1)


@app.command()
def settings(settings: SettingsFile = None, json: Json = False) -> None:
    """Show every setting, its value and where that came from."""
    from throughline.cli.settings import settings as run

    run(settings, json)


@app.command()
def demo(
    seed: Annotated[int, typer.Option(metavar="N", help="Another seed, other faults.")] = 7,
    verify: Annotated[
        bool, typer.Option("--verify", help="Run to the end and compare what was reconstructed with what happened.")
    ] = False,
    scale: Annotated[str, typer.Option(metavar="SIZE", help="How much work the firm does.")] = "default",
    weeks: Annotated[int | None, typer.Option(metavar="N", help="How many weeks the firm works.")] = None,
    exit: Annotated[bool, typer.Option("--exit", help="End with the page of what is stuck.")] = False,
    picture: Annotated[
        Path | None, typer.Option("--picture", metavar="FILE", help="Keep that page as a picture, too (SVG).")
    ] = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Watch a fictional firm's systems at work, and what becomes of what gets stuck."""
    from throughline.demo.run import DEFAULT_WEEKS, run_demo

    sys.exit(
        run_demo(
            seed,
            verify=verify,
            scale=scale,
            weeks=weeks or DEFAULT_WEEKS,
            exit=exit,
            data=data,
            picture_file=picture,
            as_json=json,
        )
    )


def main() -> None:
    """Run the command line; what can be expected to fail is said in a sentence, without a traceback."""
    import sqlite3

    from throughline.core.database import passing_cause
    from throughline.core.errors import ThroughlineError

    try:
        app()
    except ThroughlineError as error:
        print(error, file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)
    except (OSError, sqlite3.Error) as error:
        cause = passing_cause(error)
        if cause is None:
            raise
        print(f"{cause} ({error})", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
