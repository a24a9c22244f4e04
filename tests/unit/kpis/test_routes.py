"""Routes of KPIs refuse what they would pass over."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.unit.kpis.golden import FOLDER, golden
from tests.unit.kpis.test_values import asking

KPIS = "/api/v1/kpis"


@pytest.fixture(scope="module")
def caller(tmp_path_factory: pytest.TempPathFactory) -> Generator[TestClient]:
    with asking(golden(FOLDER / "billing-readiness-lag.yaml"), Path(tmp_path_factory.mktemp("kpis"))) as client:
        yield client


@pytest.mark.parametrize("path", [KPIS, f"{KPIS}/billing-readiness-lag"])
def test_a_list_and_one_kpi_take_no_parameters(caller: TestClient, path: str) -> None:
    assert caller.get(path).status_code == 200
    answer = caller.get(path, params={"region": "EMEA"})
    assert answer.status_code == 422
    assert answer.json()["detail"] == "region: seen 'EMEA', wanted no such entry: its name is unknown here"
