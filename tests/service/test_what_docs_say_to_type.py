"""What README and docs say to type does what they say: every command is run, in order, against a real serve."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.docs.blocks import Block, blocks_of, prints, shows
from tests.service.senders.collectors import ALONE
from tests.service.senders.installs import NotInstalled, installed, lacking
from tests.service.senders.ports import free_ports
from tests.service.serving import PATIENCE_SECONDS, call, until
from throughline.core.tls import pinned

if TYPE_CHECKING:  # its driver is not installed everywhere
    from tests.postgresql_server import Postgresql

REPOSITORY = Path(__file__).parents[2]
README = REPOSITORY / "README.md"
REFERENCE = REPOSITORY / "docs" / "reference"
PAGES = [README, *sorted((REPOSITORY / "docs" / "how-to").glob("*.md")), REFERENCE / "api.md"]
PORTS = {"http": 4380, "api": 4381, "otlp_http": 4318, "otlp_grpc": 4317}
INSTALLING = re.compile(r"^make \w+$", re.MULTILINE)
SERVE = re.compile(r"^(\.venv/bin/throughline serve [^|\n]*)$", re.MULTILINE)
END = "end of the commands"

pytestmark = pytest.mark.serial


class Terminal:
    """A shell in a folder of its own, in which ``.venv/bin/throughline`` works and ports are free ones."""

    def __init__(self, folder: Path) -> None:
        (folder / ".venv").mkdir()
        (folder / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
        self.folder = folder
        self.ports: dict[str, str] = {}
        self._serves: list[subprocess.Popen[bytes]] = []
        free = {f"THROUGHLINE_{door.upper()}": "127.0.0.1:0" for door in PORTS}
        self._environment = os.environ | free | {"COLUMNS": "160", "no_proxy": "*"}
        self._shell = subprocess.Popen(
            ["bash"],
            cwd=folder,
            env=self._environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def type(self, commands: str) -> str:
        """Run commands and return what they print; a serve among them goes on running. Fails where one fails."""
        printed = ""
        for part in SERVE.split(self.here(commands)):
            if SERVE.fullmatch(part):
                self._serve(part)
            elif part.strip():
                printed += self._run(part)
                self._wait_until_folded()
        return printed

    def _wait_until_folded(self) -> None:
        """Give a fast typist the moment that a slow one has: what is durable is folded within milliseconds."""
        secret, certificate = self.folder / "ana.secret", self.folder / "certificate.pem"
        shown = {"Authorization": f"Bearer {secret.read_text().strip()}"} if secret.exists() else {}
        context = pinned(certificate.read_bytes()) if certificate.exists() else None
        api = f"http{'s' if context else ''}://127.0.0.1:{self.ports.get('api')}/api/v1/status"
        if self.ports:
            status = call(api, headers=shown, context=context).json
            for position in (status["received"], status["stated"]):
                folded = call(f"{api}?folded={position}&wait=60s", headers=shown, context=context)
                assert folded.json["reached"] is True

    def here(self, text: str) -> str:
        """Return a text with this terminal's ports, and loopback in place of all addresses."""
        text = text.replace("0.0.0.0:", "127.0.0.1:") if "serve --settings" in text else text
        for door, port in PORTS.items():
            text = re.sub(rf":{port}\b", f":{self.ports.get(door, '0')}", text)
        return text

    def _run(self, commands: str) -> str:
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        self._shell.stdin.write(f"{commands}\necho; echo '{END}' $?\n")
        self._shell.stdin.flush()
        lines: list[str] = []
        for line in self._shell.stdout:
            if line.startswith(END):
                assert line.split()[-1] == "0", f"{commands}\n{''.join(lines)}"
                return "".join(lines)
            lines.append(line)
        raise AssertionError(f"the shell ended at {commands}")

    def _serve(self, command: str) -> None:
        data = self.folder / "throughline-data" / "addresses.json"
        with (self.folder / "serve.log").open("wb") as log:
            process = subprocess.Popen(
                ["bash", "-c", f"exec {command}"],
                cwd=self.folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        self._serves.append(process)
        until(lambda: data.exists() or process.poll() is not None, "addresses")
        assert process.poll() is None, (self.folder / "serve.log").read_text()
        addresses = json.loads(data.read_text())
        self.ports = {door: addresses[door].rpartition(":")[2] for door in PORTS}

    def close(self) -> None:
        for process in self._serves:
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE_SECONDS)
        self._shell.communicate(timeout=PATIENCE_SECONDS)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    with ExitStack() as stack:
        terminal = Terminal(tmp_path)
        stack.callback(terminal.close)
        yield terminal


def follow(terminal: Terminal, blocks: list[Block], tool: str = "") -> Iterator[tuple[Block, str]]:
    """Do what a page says, and what it says for who has a tool; yield what it shows with what was printed instead."""
    printed = ""
    for block in blocks:
        match block.language, block.says:
            case "sh", says if says in ("", tool):
                if not INSTALLING.search(block.text):
                    printed = terminal.type(block.text)
            case "sh", _:
                printed = ""
            case "yaml", name if name:
                (terminal.folder / name).parent.mkdir(parents=True, exist_ok=True)
                (terminal.folder / name).write_text(terminal_text(terminal, block.text))
            case ("json", "answer") | ("text", ""):
                if printed:
                    yield block, printed
            case _:
                pass


def terminal_text(terminal: Terminal, text: str) -> str:
    return terminal.here(text.replace("0.0.0.0:", "127.0.0.1:"))


def answer_in(printed: str) -> Any:
    """Return the last line of JSON that was printed."""
    return json.loads([line for line in printed.splitlines() if line.strip()][-1])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_does_what_it_says(page: Path, terminal: Terminal) -> None:
    blocks = blocks_of(page)
    assert any(block.language == "sh" for block in blocks)
    assert_shows(page, terminal, blocks)


ONE_FOLDER = ("look-up-a-record", "repair-a-record", "undo-a-wrong-link")


@pytest.mark.parametrize("names", [ONE_FOLDER, ONE_FOLDER[::-1]], ids=["one way", "the other way"])
def test_pages_of_one_data_folder_do_what_they_say_one_after_the_other(
    names: tuple[str, ...], terminal: Terminal
) -> None:
    """Under the serve of the page that brings definitions of its own."""
    folder = REPOSITORY / "docs" / "how-to"
    first = folder / "declare-your-own-process.md"
    assert_shows(first, terminal, blocks_of(first))
    for page in (folder / f"{name}.md" for name in names):
        blocks = [block._replace(text=SERVE.sub("", block.text)) for block in blocks_of(page)]
        assert_shows(page, terminal, blocks)


def assert_shows(page: Path, terminal: Terminal, blocks: list[Block], tool: str = "") -> None:
    for block, printed in follow(terminal, blocks, tool):
        if block.language == "json":
            same = shows(json.loads(block.text), answer_in(printed))
        else:
            same = prints(block.text, printed)
        assert same, f"{page.name}, line {block.line}, shows\n{block.text}\nand not\n{printed}"


@pytest.mark.needs("postgresql")
def test_the_how_to_of_postgresql_does_what_it_says_on_a_real_server(
    terminal: Terminal, postgresql: Postgresql
) -> None:
    page = REPOSITORY / "docs" / "how-to" / "keep-the-store-in-postgresql.md"
    blocks = blocks_of(page)
    (made,) = [block.text for block in blocks if block.language == "sql"]
    written, there = "127.0.0.1:5432/", postgresql.address
    postgresql.run(made)
    assert_shows(
        page, terminal, [block._replace(text=block.text.replace(written, there)) for block in blocks], "postgresql"
    )


@pytest.mark.needs("go")
def test_a_real_collector_with_the_configuration_of_the_how_to_delivers(terminal: Terminal) -> None:
    """The blocks that ``test_a_page_does_what_it_says`` leaves out."""
    try:
        program = installed("go") / "bin" / "otelcol"
    except NotInstalled as reason:
        lacking("go", reason)
    blocks = blocks_of(REPOSITORY / "docs" / "how-to" / "point-an-opentelemetry-collector.md")
    (configuration,) = [block.text for block in blocks if block.says == "otelcol.yaml"]
    _, send, show = [block.text for block in blocks if block.says == "otelcol"]
    terminal.type(".venv/bin/throughline serve --data throughline-data\n")
    ports = {f":{known}": f":{free}" for known, free in zip((14317, 14318), free_ports(2), strict=True)}
    for known, free in ports.items():
        configuration, send = configuration.replace(known, free), send.replace(known, free)
    (terminal.folder / "otelcol.yaml").write_text(terminal.here(configuration))
    (terminal.folder / "alone.yaml").write_text(ALONE)
    with (terminal.folder / "otelcol.log").open("wb") as log:
        command = [program, "--config", "otelcol.yaml", "--config", "alone.yaml"]
        collector = subprocess.Popen(command, cwd=terminal.folder, stdout=log, stderr=log)
    with collector:
        try:
            until(lambda: answers(ports[":14318"]), "the Collector")
            assert answer_in(terminal.type(send)) == {"partialSuccess": {}}
            records = f"http://127.0.0.1:{terminal.ports['api']}/api/v1/records?type=time_entry&value=TE-88"
            until(lambda: bool(call(records).json["records"]), "the record")
        finally:
            collector.terminate()
    assert "time entry TE-88" in terminal.type(show)


def answers(port: str) -> bool:
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", int(port.removeprefix(":")))) == 0


def test_every_example_of_the_event_page_is_taken(terminal: Terminal) -> None:
    paths = {"": ("http", "/v1/events"), "logs": ("otlp_http", "/v1/logs"), "traces": ("otlp_http", "/v1/traces")}
    media = {"": "application/cloudevents+json", "logs": "application/json", "traces": "application/json"}
    terminal.type(".venv/bin/throughline serve --data throughline-data\n")
    examples = [block for block in blocks_of(REFERENCE / "event.md") if block.says.startswith("accepted")]
    assert examples
    for example in examples:
        door = example.says.removeprefix("accepted").strip()
        name, path = paths[door]
        (terminal.folder / "body.json").write_text(example.text)
        curl = f"curl -s -H 'content-type: {media[door]}' --data-binary @body.json"
        answered = answer_in(terminal.type(f"{curl} http://127.0.0.1:{terminal.ports[name]}{path}"))
        assert answered == {} or (answered["accepted"], answered["set_aside"]) == (1, []), example
