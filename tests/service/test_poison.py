"""No event that a door takes, however odd, stops the engine, and every case that comes of it can be shown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from lineage.definitions import load_definitions
from tests.hostile.poison import poison
from tests.service.serving import Serving, call, serving
from throughline.core.store_url import StoreUrl

pytestmark = pytest.mark.xdist_group("poison")

EVENTS, IN_BATCH, SEED = 1_500, 300, 1
SHOWN = 100
BATCH = {"content-type": "application/cloudevents-batch+json"}


def pages(serve: Serving, of: str, **asked: str) -> Iterator[dict[str, Any]]:
    """Go over all pages of a list."""
    cursor: dict[str, str] = {}
    while True:
        page = serve.get(f"/api/v1/{of}", limit=1_000, **asked, **cursor)
        assert page.status == 200, page.text[:2_000]
        yield page.json
        if not page.json["next"]:
            return
        cursor = {"cursor": page.json["next"]}


def test_odd_events_are_folded_and_their_cases_are_shown(tmp_path: Path) -> None:
    hold(tmp_path)


@pytest.mark.needs("postgresql")
def test_they_are_where_the_store_is_in_postgresql(tmp_path: Path, database: StoreUrl) -> None:
    hold(tmp_path, "--store", database.libpq)


def hold(tmp_path: Path, *more: str) -> None:
    """Hold a serve to bear odd events."""
    definitions = load_definitions(None)
    with serving(tmp_path / "data", *more) as serve:
        engine = serve.parts["engine"]
        events = list(poison(definitions, EVENTS, SEED))
        position = ""
        for first in range(0, EVENTS, IN_BATCH):
            answer = call(f"http://{serve.addresses['http']}/v1/events", events[first : first + IN_BATCH], BATCH)
            assert answer.status == 202, answer.text[:2_000]
            position = answer.json["position"]
        serve.folded(position)
        cases = [case for page in pages(serve, "cases") for case in page["cases"]]
        assert len(cases) > SHOWN
        for case in cases[:: len(cases) // SHOWN]:
            path = f"/api/v1/cases/{case['process']}/{quote(case['name'], safe='')}"
            scope = {f"scope.{name}": value for name, value in (case.get("scope") or {}).items()}
            assert serve.get(path, **scope).status in (200, 409), (path, scope)
        for of in ("orphans", "events", "unmapped", "quarantine"):
            assert list(pages(serve, of))
        for kind in definitions.key_types:
            assert serve.get("/api/v1/records", type=kind, value="A-1").status == 200
        assert serve.parts["engine"] == engine
        assert "Traceback" not in (tmp_path / "data.log").read_text()
