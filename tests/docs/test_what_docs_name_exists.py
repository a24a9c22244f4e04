"""What README and docs name exists: paths, make targets, settings, metrics."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import typer.main

from kpis.catalogue import load_catalogue
from kpis.families import SHARED, families_of
from lineage.definitions import load_definitions
from throughline.cli.main import app
from throughline.core.metric_names import METRICS
from throughline.core.settings import CA_FILE_VARIABLE, SETTINGS_FILE_VARIABLE, TOKEN_VARIABLE, Settings, variable_of

REPOSITORY = Path(__file__).parents[2]
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]

LINK = re.compile(r"\]\((?!\w+:|#)([^)#\s]+)")
PATH = re.compile(r"`((?:throughline|collector|lineage|kpis|grafana|tests|bench|docs)/[\w./-]+)`")
TARGET = re.compile(r"^make ([\w-]+)|`make ([\w-]+)`", re.MULTILINE)
VARIABLE = re.compile(r"\bTHROUGHLINE_[A-Z_]+\b")
METRIC = re.compile(r"\bthroughline(?:_[a-z]+){2,}\b")
COMMAND = re.compile(r"(?:`|bin/)throughline ((?:[a-z]+ ?)*[a-z]+)")
OPTION = re.compile(r"`(--[a-z][a-z-]*)")
OF_A_HISTOGRAM = re.compile(r"_(?:bucket|sum|count)$")


def named(pattern: re.Pattern[str]) -> Iterator[tuple[Path, str]]:
    for page in PAGES:
        for match in pattern.finditer(page.read_text()):
            yield page, next(group for group in (*match.groups(), match[0]) if group)


def shown(page: Path) -> str:
    return str(page.relative_to(REPOSITORY))


def test_every_link_leads_somewhere() -> None:
    links = [(page, link) for page, link in named(LINK)]
    assert links
    assert [(shown(page), link) for page, link in links if not (page.parent / link).exists()] == []


def test_every_path_exists() -> None:
    assert [(shown(page), path) for page, path in named(PATH) if not (REPOSITORY / path).exists()] == []


def test_every_make_target_exists() -> None:
    targets = set(re.findall(r"^([\w-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    assert {target for _, target in named(TARGET)} - targets == set()


def test_every_setting_exists() -> None:
    variables = {variable_of(name) for name in Settings.model_fields} | {
        SETTINGS_FILE_VARIABLE,
        TOKEN_VARIABLE,
        CA_FILE_VARIABLE,
    }
    assert [(shown(page), name) for page, name in named(VARIABLE) if name not in variables] == []


def test_every_metric_exists() -> None:
    shipped = load_catalogue(None, load_definitions(None)).kpis.values()
    families = (*SHARED, *(family for kpi in shipped for family in families_of(kpi)))
    metrics = {metric.name for metric in METRICS} | {family.name for family in families}
    unknown = [(shown(page), name) for page, name in named(METRIC) if OF_A_HISTOGRAM.sub("", name) not in metrics]
    assert unknown == []


def commands(command: Any, words: str = "") -> Iterator[tuple[str, Any]]:
    yield words, command
    for name, below in getattr(command, "commands", {}).items():
        yield from commands(below, f"{words} {name}".strip())


def test_every_command_exists() -> None:
    known = dict(commands(typer.main.get_command(app)))
    assert [(shown(page), words) for page, words in named(COMMAND) if not is_command(words, known)] == []


def is_command(words: str, known: Mapping[str, Any]) -> bool:
    """Tell whether words are a command, or one that takes arguments with its arguments after it."""
    while words and words not in known:
        words = words.rpartition(" ")[0]
        if words in known and getattr(known[words], "commands", {}):
            return False
    return words in known and words != ""


@pytest.mark.parametrize(
    ("words", "is_one"),
    [("serve", True), ("show time entry", True), ("processes", True), ("processes frob", False), ("frob x", False)],
)
def test_a_command_is_told_from_its_arguments(words: str, is_one: bool) -> None:
    assert is_command(words, dict(commands(typer.main.get_command(app)))) is is_one


def test_every_option_exists() -> None:
    known = {
        option for _, command in commands(typer.main.get_command(app)) for p in command.params for option in p.opts
    }
    assert [(shown(page), option) for page, option in named(OPTION) if option not in known | {"--help"}] == []


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        (LINK, "see [it](docs/a.md#b) and [us](https://example.com)", ["docs/a.md"]),
        (PATH, "in `lineage/pack/keys.yaml`", ["lineage/pack/keys.yaml"]),
        (TARGET, "make demo\n", ["demo"]),
        (VARIABLE, "`THROUGHLINE_OTLP_HTTP=x`", ["THROUGHLINE_OTLP_HTTP"]),
        (METRIC, "rate(throughline_requests_total[5m])", ["throughline_requests_total"]),
        (COMMAND, "`throughline processes list` and .venv/bin/throughline serve --data x", ["processes list", "serve"]),
        (OPTION, "`--settings FILE` or `--data`", ["--settings", "--data"]),
    ],
    ids=["link", "path", "target", "variable", "metric", "command", "option"],
)
def test_a_name_is_noticed(pattern: re.Pattern[str], text: str, found: list[str]) -> None:
    assert [next(group for group in (*match.groups(), match[0]) if group) for match in pattern.finditer(text)] == found
