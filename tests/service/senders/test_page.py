"""The page of senders: its programs are the ones that tests run, and what it says of outages is what they outlast."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.blocks import Block, blocks_of
from tests.service.senders.installs import FOLDER, NotInstalled, installed, lacking
from tests.service.senders.programs import SENDERS, Sender
from tests.service.test_what_docs_say_to_type import Terminal

PAGE = FOLDER.parents[2] / "docs" / "how-to" / "send-from-your-programs.md"
BLOCKS = blocks_of(PAGE)
PROGRAMS = [block for block in BLOCKS if "/" in block.says]
INSTALLS = re.compile(r"^npm install .*\n", re.MULTILINE)
ROW = re.compile(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
LANGUAGES = {"node": "Node.js", "python": "Python", "go": "Go", "java": "Java"}


@pytest.mark.parametrize("block", PROGRAMS, ids=lambda block: block.says)
def test_a_program_of_the_page_is_the_one_that_meets_the_outage(block: Block) -> None:
    file = Path(block.says)
    assert block.text == (FOLDER / file).read_text()
    used = {("node" if sender.tool == "node" else sender.tool or "python", sender.program) for sender in SENDERS}
    assert (file.parts[0], file.stem if file.stem != "main" else file.parts[1]) in used


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    terminal = Terminal(tmp_path)
    try:
        yield terminal
    finally:
        terminal.close()


@pytest.mark.serial
@pytest.mark.parametrize("tool", [pytest.param(tool, marks=pytest.mark.needs(tool)) for tool in ("node", "go", "java")])
def test_what_the_page_says_to_type_makes_the_event_show(tool: str, terminal: Terminal) -> None:
    try:
        folder = installed(tool)
    except NotInstalled as reason:
        lacking(tool, reason)
    terminal.type(".venv/bin/throughline serve --data throughline-data\n")
    (show,) = [block.text for block in BLOCKS if block.says == "shows"]
    commands = [INSTALLS.sub("", block.text) for block in BLOCKS if block.says == tool]
    assert commands
    for number, command in enumerate(filter(None, commands), start=1):
        terminal.type(f"(cd {folder}\n{command.replace('TE-88', f'TE-{number}')})\n")
        assert "time.submitted" in terminal.type(show.replace("TE-88", f"TE-{number}"))


def rows() -> dict[tuple[str, str], tuple[str, str]]:
    """Return by SDK and protocol what the table says: settings, and how long nothing is lost."""
    return {
        (language, protocol.strip(" `")): (settings, seconds)
        for language, protocols, settings, seconds in ROW.findall(PAGE.read_text())
        for protocol in protocols.split(",")
    }


@pytest.mark.parametrize("sender", SENDERS, ids=lambda sender: sender.name)
def test_the_page_says_how_long_a_sender_outlasts(sender: Sender) -> None:
    language = sender.name.partition("-")[0]
    if sender.door == "http" or language not in LANGUAGES:
        return
    settings, seconds = rows()[LANGUAGES[language], sender.protocol]
    assert all(f"`{name}={value}`" in settings for name, value in sender.settings.items())
    assert bool(sender.settings) == ("OTEL_" in settings)
    assert seconds.startswith(f"{sender.outlasts:g} s" if sender.outlasts else "no time")
