"""The page of the API names every route that there is, and no other."""

from __future__ import annotations

import re
from contextlib import ExitStack
from pathlib import Path

import pytest

from lineage.api import CasesAsked
from lineage.definitions import load_definitions
from lineage.engine import Limits
from throughline.api.server import Ground, build_app
from throughline.api.web import WebLimits
from throughline.core.clock import RealClock
from throughline.core.estate import load_estate

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "api.md"
ROUTE = re.compile(r"^\| `(GET|POST) (\S+)`", re.MULTILINE)


@pytest.fixture
def routes(tmp_path: Path) -> set[tuple[str, str]]:
    ground = Ground(
        data=tmp_path,
        definitions=load_definitions(None),
        estate=load_estate(None),
        limits=Limits(),
        clock=RealClock(),
        tokens=(),
        collector="127.0.0.1:1",
        parts=tmp_path / "parts.json",
        web=WebLimits(32_768, 100, 30.0),
    )
    with ExitStack() as stack:
        paths = build_app(ground, stack).openapi()["paths"]
    return {(method.upper(), path) for path, methods in paths.items() for method in methods}


def test_the_page_names_every_route_and_no_other(routes: set[tuple[str, str]]) -> None:
    assert set(ROUTE.findall(PAGE.read_text())) == routes


def test_the_page_names_every_filter_of_cases() -> None:
    (line,) = [line for line in PAGE.read_text().splitlines() if "GET /api/v1/cases`" in line]
    filters = set(CasesAsked.model_fields) - {"limit", "cursor"}
    assert set(re.findall(r"`(\w+)`", line)) == filters
