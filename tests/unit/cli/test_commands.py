"""The commands that need no server, and that help needs nothing at all."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lineage.definitions import pack_folder
from throughline.cli.client import NoAnswer, Place, UrlRefused, api_place, door_place
from throughline.cli.main import app
from throughline.cli.statements import key_members
from throughline.cli.words import moment, money, waiting_text
from throughline.core.errors import ConfigurationError, ThroughlineError
from throughline.core.settings import Settings
from throughline.serve.folder import ADDRESSES

HEAVY = (
    "pydantic",
    "rich",
    "msgspec",
    "fastapi",
    "sqlalchemy",
    "lineage",
    "kpis",
    "collector",
    "grpc",
    "throughline.core",
)
COMMANDS = (
    "serve",
    "show",
    "cases",
    "import",
    "export",
    "settings",
    "demo",
    "processes",
    "statements",
    "quarantine",
    "check",
    "verify",
    "mappings",
    "tokens",
)

NO_DOORS = ("http://", "http://:1", "http://there:one", "http://there:99999", "http://there:0", "http://[::1:4381")


def command(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, list(arguments), env={"COLUMNS": "200"})
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.output


def test_help_loads_nothing_that_a_command_needs() -> None:
    code = (
        "import sys; from throughline.cli.main import app\n"
        "try: app(['--help'])\n"
        f"finally: print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    for name in COMMANDS:
        assert name in done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_what_it_does(name: str) -> None:
    code, text = command(name, "--help")
    assert code == 0
    assert text.startswith("Usage:")


def test_processes_are_listed_and_shown_as_documents_and_in_words() -> None:
    code, listed = command("processes", "list", "--json")
    names = [each["process"] for each in json.loads(listed)]
    assert code == 0
    assert "time-to-bill" in names
    code, shown = command("processes", "show", "time-to-bill", "--json")
    assert json.loads(shown) == next(each for each in json.loads(listed) if each["process"] == "time-to-bill")
    _, staffing = command("processes", "show", "staffing")
    assert "time submitted every week per assignment after confirmed, within 2 bd of its end" in staffing
    _, words = command("processes", "show", "time-to-bill")
    assert "within 3 bd" in words
    with pytest.raises(ThroughlineError, match=r"wanted one of .*time-to-bill"):
        command("processes", "show", "nothing")


def test_validate_says_every_fault_with_its_place(tmp_path: Path) -> None:
    assert command("processes", "validate", str(tmp_path))[0] == 0
    (tmp_path / "a.yaml").write_text("process: a\ntitle: 7\nstepps: []\n")
    code, text = command("processes", "validate", str(tmp_path))
    assert code == 1
    assert "a.yaml:2" in text
    assert "a.yaml:3" in text
    code, listed = command("processes", "validate", str(tmp_path), "--json")
    assert code == 1
    assert {fault["line"] for fault in json.loads(listed)} >= {2, 3}


def test_validate_holds_kpis_against_the_processes(tmp_path: Path) -> None:
    (tmp_path / "kpis").mkdir()
    (tmp_path / "kpis" / "lag.yaml").write_text("kpi: lag\nformula: {kind: lag, of: {process: staffings}}\n")
    (tmp_path / "estate.yaml").write_text("flows: {f: {from: psa, to: erp, carries: {process: x, from: a, to: b}}}\n")
    code, listed = command("processes", "validate", str(tmp_path), "--json")
    assert code == 1
    assert {fault["path"] for fault in json.loads(listed)} >= {
        "formula.of[0].process",
        "question",
        "flows.f.carries[0].process",
    }


def test_validate_names_the_processes_of_ones_own_before_the_shipped_ones(tmp_path: Path) -> None:
    def told() -> str:
        code, text = command("processes", "validate", str(tmp_path))
        assert code == 0
        return " ".join(text.split())

    assert "can be used: it declares no process, beside the shipped actuals-to-plan, " in told()
    shipped = pack_folder() / "processes" / "staffing.yaml"
    mine = shipped.read_text("utf-8").replace("process: staffing", "process: casting")
    (tmp_path / "casting.yaml").write_text(mine)
    assert "can be used: your process casting, beside the shipped actuals-to-plan, " in told()
    (tmp_path / "staffing.yaml").write_text(shipped.read_text("utf-8").replace("within: 2 bd", "within: 3 bd", 1))
    assert "can be used: your processes casting, staffing, beside the shipped " in told()
    assert told().count("staffing") == 1
    (tmp_path / "staffing.yaml").write_text(shipped.read_text("utf-8"))
    assert "your process casting, beside" in told()  # the same as the shipped one


def test_serve_has_an_option_for_each_setting_but_the_secrets() -> None:
    (serve,) = [
        each for each in app.registered_commands if each.callback is not None and each.callback.__name__ == "serve"
    ]
    parameters = inspect.signature(serve.callback, eval_str=True).parameters if serve.callback else {}
    helps = {name: each.annotation.__metadata__[0].help for name, each in parameters.items()}
    assert {name: text for name, text in helps.items() if name not in ("settings", "json")} == {
        name: field.description for name, field in Settings.model_fields.items()
    }
    _, text = command("settings", "--json")
    named = {line["option"] for line in json.loads(text)}
    assert named == {f"--{name.replace('_', '-')}" for name in helps if name not in ("settings", "json")}


def test_what_serve_is_told_is_read_as_any_setting(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        command("serve", "--data", str(tmp_path), "--body-bytes", "much", "--connections", "0", "--nesting", "few")
    assert [str(fault) for fault in caught.value.faults] == [
        "command line: --body-bytes: seen 'much', wanted a size, such as 16 MiB, 64 KiB or a number of bytes",
        "command line: --nesting: seen 'few', wanted a whole number",
        "command line: --connections: seen '0', wanted at least 1",
    ]


def test_settings_say_where_each_value_came_from_and_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THROUGHLINE_TOKEN", "a-secret-of-ana-s")
    monkeypatch.setenv("THROUGHLINE_TOKENS", "tokens.yaml")
    file = tmp_path / "settings.yaml"
    file.write_text("bulk_limit: 7\n")
    code, text = command("settings", "--settings", str(file), "--json")
    found = {line["name"]: line for line in json.loads(text)}
    assert code == 0
    assert (found["bulk_limit"]["value"], found["bulk_limit"]["option"]) == ("7", "--bulk-limit")
    assert "settings.yaml:1" in found["bulk_limit"]["origin"]
    assert found["tokens"]["origin"] == "THROUGHLINE_TOKENS"
    for shown in (text, command("settings", "--settings", str(file))[1]):
        assert "a-secret-of-ana-s" not in shown


def test_show_wants_a_key_or_a_trace() -> None:
    for arguments in (["show"], ["show", "time_entry"], ["show", "time_entry", "TE-1", "--trace", "1" * 32]):
        code, text = command(*arguments)
        assert code == 2
        assert "--trace ID" in text


def test_the_api_is_where_it_is_said_else_where_serve_wrote_it_else_where_it_is_by_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert api_place("http://there:1/", tmp_path).url == "http://there:1"
    monkeypatch.chdir(tmp_path)
    assert api_place(None, None).url == "http://127.0.0.1:4381"
    with pytest.raises(NoAnswer, match=f"--data: seen {tmp_path}, a folder that nothing serves; wanted that of a run"):
        api_place(None, tmp_path)
    (tmp_path / ADDRESSES).write_text('{"api": "127.0.0.1:9"}')
    assert api_place(None, tmp_path) == Place("http://127.0.0.1:9")
    (tmp_path / ADDRESSES).write_text('{"api": "127.0.0.1:9", "certificate": "/ours.pem"}')
    assert api_place(None, tmp_path) == Place("https://127.0.0.1:9", Path("/ours.pem"))


@pytest.mark.parametrize("url", ["http://ana:hunter2@there:1", "https://hunter2@there/x", "ana:hunter2@there:1"])
def test_a_url_with_a_secret_in_it_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(UrlRefused, match="wanted http://HOST:PORT") as caught:
        api_place(url, None)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("place", [api_place, door_place])
@pytest.mark.parametrize("url", ["", "foo", "127.0.0.1:4381", "localhost:4381", "ftp://there:1", *NO_DOORS])
def test_a_url_that_is_none_of_a_door_is_refused(place: Callable[[str, None], Place], url: str) -> None:
    with pytest.raises(UrlRefused) as caught:
        place(url, None)
    assert str(caught.value) == f"--url: seen '{url}', wanted http://HOST:PORT or https://HOST:PORT"


@pytest.mark.parametrize("url", ["http://there", "HTTPS://there:1", "http://[::1]:4381", "https://there/throughline"])
def test_a_url_of_a_door_is_taken(url: str) -> None:
    assert api_place(f"{url}/", None).url == url


def test_a_refused_url_is_told_in_one_line() -> None:
    run = [sys.executable, "-m", "throughline.cli.main", "kpis", "list", "--url", "foo"]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "--url: seen 'foo', wanted http://HOST:PORT or https://HOST:PORT\n"


@pytest.mark.parametrize(
    ("exposure", "text"),
    [
        ({}, "–"),
        (None, "unknown"),
        ({"amount": "1125.00", "currency": "EUR", "hours": None}, "EUR 1,125.00"),
        ({"amount": "412300", "currency": "USD", "hours": "7.5"}, "USD 412,300, 7.5 h"),
        ({"amount": None, "currency": None, "hours": "7.5"}, "amount unknown, 7.5 h"),
    ],
)
def test_what_is_held_up_is_never_0_where_it_is_unknown(exposure: dict[str, str] | None, text: str) -> None:
    assert money(exposure) == text


def test_times_are_written_to_the_minute() -> None:
    assert moment("2026-03-02T09:00:59.5Z") == "2026-03-02 09:00"
    assert moment(None) == "–"


@pytest.mark.parametrize(
    ("text", "members"),
    [
        ("time_entry=TE-2", {"time_entry": "TE-2"}),
        ("invoice=INV-1, legal_entity=DE01", {"invoice": "INV-1", "legal_entity": "DE01"}),
        ("customer=a=b", {"customer": "a=b"}),
    ],
)
def test_a_key_is_read_with_its_scope(text: str, members: dict[str, str]) -> None:
    assert key_members(text) == members


@pytest.mark.parametrize("text", ["TE-2", "time_entry=", "=TE-2", "invoice=INV-1,DE01", ""])
def test_what_is_no_key_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ThroughlineError, match="time_entry=TE-88"):
        key_members(text)


@pytest.mark.parametrize("event", ["3", "/erp", "#3", "/erp#"])
def test_what_is_no_event_is_refused_with_an_example(event: str) -> None:
    arguments = ("statements", "unlink", "time_entry=T1", "billing_event=B1", "--why", "so", "--event", event)
    with pytest.raises(ThroughlineError, match="/erp#3"):
        command(*arguments)


def test_what_waits_is_said_of_one_event_and_of_several() -> None:
    waiting = {"events": 1, "since": "2026-03-02T09:00:00Z", "orphan": False}
    assert waiting_text(waiting) == "1 event waits here since 2026-03-02 09:00 for a case that holds it."
    several = waiting_text(waiting | {"events": 2, "orphan": True})
    assert several == "2 events wait here since 2026-03-02 09:00 for a case that holds it, an orphan by now."
