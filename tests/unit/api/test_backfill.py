"""A backfill at the API: it is ordered by an empty body or an empty object, and by nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from kpis.api import KpiDesk
from kpis.backfill import BACKFILL_FILE
from kpis.catalogue import Catalogue
from lineage.engine import Limits
from lineage.process import Definitions
from lineage.read import CaseReader
from throughline.api import backfill
from throughline.api.access import Access
from throughline.api.app import create_app
from throughline.core.estate import load_estate
from throughline.core.guards import NO_GUARDS
from throughline.core.metric_names import METRICS
from throughline.core.metrics import Meter, Part

JSON, TEXT = "application/json", "text/plain"
PATH = "/api/v1/kpis/backfill"


@pytest.fixture
def caller(tmp_path: Path) -> Iterator[TestClient]:
    estate = load_estate(None)
    cases = CaseReader(tmp_path / "store.db", Definitions({}, {}), estate, Limits(), lambda: 0)
    with closing(KpiDesk(tmp_path / "kpis.db", Catalogue({}, {}), estate, cases)) as desk:
        app = create_app([backfill.routes(desk)], [], Access(NO_GUARDS.sign_ins), Meter(Part.API, METRICS))
        yield TestClient(app, "http://localhost")


@pytest.mark.parametrize(("body", "media_type"), [(b"{}", JSON), (b" {} ", f"{JSON}; charset=utf-8"), (b"", JSON)])
def test_it_is_ordered(caller: TestClient, tmp_path: Path, body: bytes, media_type: str) -> None:
    answer = caller.post(PATH, content=body, headers={"content-type": media_type})
    assert (answer.status_code, answer.json()) == (202, {"ordered": True})
    assert (tmp_path / BACKFILL_FILE).exists()


def test_it_is_ordered_without_a_body(caller: TestClient, tmp_path: Path) -> None:
    assert caller.post(PATH).status_code == 202
    assert (tmp_path / BACKFILL_FILE).exists()


@pytest.mark.parametrize(
    ("body", "media_type", "status", "words"),
    [
        (b"{", JSON, 400, "the body is no JSON"),
        (b"\xff", JSON, 400, "the body is no JSON"),
        (b"[]", JSON, 422, "seen [], wanted a mapping"),
        (b"null", JSON, 422, "wanted a mapping"),
        (b'{"kpi": "sync-latency"}', JSON, 422, "kpi: seen 'sync-latency', wanted no such entry"),
        (b"{}", TEXT, 415, "seen the content type 'text/plain', wanted application/json"),
        (b"{}", "", 415, "wanted application/json"),
        (b" " * (backfill.LARGEST_BODY_BYTES + 1), JSON, 413, "seen more than 65536 bytes"),
    ],
)
def test_another_body_orders_nothing(
    caller: TestClient, tmp_path: Path, body: bytes, media_type: str, status: int, words: str
) -> None:
    answer = caller.post(PATH, content=body, headers={"content-type": media_type})
    assert answer.status_code == status
    assert words in answer.json()["detail"]
    assert not (tmp_path / BACKFILL_FILE).exists()
