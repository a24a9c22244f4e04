"""The page of the API names every route, parameter and problem that there is, and no other."""

from __future__ import annotations

import re
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from kpis.catalogue import load_catalogue
from lineage.api import CasesAsked
from lineage.definitions import load_definitions
from lineage.engine import Limits
from throughline.api.server import Ground, build_app, stand_on
from throughline.api.web import WebLimits
from throughline.core.clock import RealClock
from throughline.core.estate import load_estate
from throughline.core.problem import ProblemKind

DEFINITIONS = load_definitions(None)
PAGE = Path(__file__).parents[2] / "docs" / "reference" / "api.md"
ROUTE = re.compile(r"^\| `(GET|POST) (\S+)`", re.MULTILINE)


@pytest.fixture
def paths(tmp_path: Path) -> dict[str, Any]:
    ground = Ground(
        data=tmp_path,
        declared=lambda: (DEFINITIONS, load_estate(None), load_catalogue(None, DEFINITIONS)),
        limits=Limits(),
        clock=RealClock(),
        collector="127.0.0.1:1",
        parts=tmp_path / "parts.json",
        web=WebLimits(32_768, 100, 30.0),
    )
    with ExitStack() as stack:
        return build_app(ground, stand_on(ground, stack), stack).openapi()["paths"]


def test_the_page_names_every_route_and_no_other(paths: dict[str, Any]) -> None:
    routes = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    assert set(ROUTE.findall(PAGE.read_text())) == routes


def test_the_page_describes_every_parameter_of_each_route(paths: dict[str, Any]) -> None:
    for path, methods in paths.items():
        for method, operation in methods.items():
            wanted = {parameter["name"] for parameter in operation.get("parameters", [])} - {"trace_id"}
            described = parameters(f"{method.upper()} {path}") - {"trace_id"}
            assert described == wanted | (described & {"type"}), (method, path)


def parameters(route: str) -> set[str]:
    """Return the parameters in the table of a route's section."""
    section = PAGE.read_text().partition(f"### {route}\n")[2].partition("\n#")[0]
    table = section.partition("| parameter |")[2].partition("\n\n")[0]
    return {
        name
        for line in table.splitlines()
        for name in re.findall(r"`([a-z_]+)`", line.partition("|")[2].partition("|")[0])
    }


def test_the_page_lists_every_problem() -> None:
    rows = re.findall(r"^\| (\d{3}) \| `([a-z-]+)` \| (.+) \|$", PAGE.read_text(), re.MULTILINE)
    kinds = [(str(kind.status), kind.urn.rpartition(":")[2], kind.title) for kind in ProblemKind]
    assert sorted(rows) == sorted(kinds)


def test_the_page_names_every_filter_of_cases() -> None:
    (line,) = [line for line in PAGE.read_text().splitlines() if "GET /api/v1/cases`" in line]
    filters = set(CasesAsked.model_fields) - {"limit", "cursor"}
    assert set(re.findall(r"`(\w+)`", line)) == filters
