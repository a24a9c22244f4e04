"""What dashboards and rules ask of Prometheus, as Grafana and Prometheus would send it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import promql_parser

from throughline.core.yaml_file import load_yaml

GRAFANA = Path(__file__).parents[2] / "grafana"
BOARDS = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted((GRAFANA / "dashboards").glob("*.json"))}
RULES = sorted((GRAFANA / "prometheus" / "rules").glob("*.yml"))
INTERVALS = {"$__rate_interval": "1m", "$__range": "5m"}
_LABEL_VALUES = re.compile(r"label_values\((.+), (\w+)\)")
_OFFSET = re.compile(r" offset -?\w+$")


class Asked(NamedTuple):
    """An expression, and where it stands."""

    where: str
    expression: str


def panels(board: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the panels of a dashboard that ask for something."""
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def variables(board: dict[str, Any]) -> dict[str, Asked]:
    """Return what fills the variables of a dashboard by name: the series, and as ``where`` the label."""
    found: dict[str, Asked] = {}
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            match = _LABEL_VALUES.fullmatch(variable["query"])
            assert match is not None, variable["query"]
            found[variable["name"]] = Asked(match[2], match[1])
    return found


def everything(board: dict[str, Any]) -> dict[str, str]:
    """Return what each variable stands for where nothing is chosen."""
    return {each["name"]: each["allValue"] for each in board["templating"]["list"] if each["type"] == "query"}


def asked(name: str, chosen: dict[str, list[str]]) -> Iterator[Asked]:
    """Yield every query of a dashboard for all that may be chosen."""
    board = BOARDS[name]
    choices = {variable: [all_of_it, *chosen.get(variable, [])] for variable, all_of_it in everything(board).items()}
    for panel in panels(board):
        for target in panel["targets"]:
            for values in product(*choices.values()):
                expression = target["expr"]
                for variable, value in zip(choices, values, strict=True):
                    expression = expression.replace(f"${variable}", value)
                yield Asked(f"{name}: {panel['title']} {values}", with_intervals(expression))


def with_intervals(expression: str) -> str:
    for name, value in INTERVALS.items():
        expression = expression.replace(name, value)
    return expression


def rules() -> Iterator[Asked]:
    """Yield the expression of every rule."""
    for path in RULES:
        for group in load_yaml(path).content["groups"]:
            for rule in group["rules"]:
                yield Asked(f"{path.name}: {rule.get('alert', rule.get('record'))}", rule["expr"])


def selectors(expression: str) -> list[str]:
    """Return every series that an expression asks for, as of now; raises ValueError where it cannot be read."""
    found: list[str] = []

    def note(part: promql_parser.Expr) -> bool:
        if isinstance(part, promql_parser.VectorSelector):
            found.append(_OFFSET.sub("", part.prettify()))
        return True

    promql_parser.walk(promql_parser.parse(expression), note)
    return found
