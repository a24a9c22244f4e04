"""Parameters of any route: what takes one value is not given twice."""

from __future__ import annotations

from typing import Annotated

import pytest
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.testclient import TestClient

from throughline.api.access import Access
from throughline.api.app import create_app
from throughline.core.guards import NO_GUARDS
from throughline.core.metric_names import METRICS
from throughline.core.metrics import Meter, Part


class Asked(BaseModel):
    model_config = ConfigDict(extra="allow")

    region: str | None = None
    first: str | None = Field(None, alias="from")
    by: list[str] = []


@pytest.fixture(scope="module")
def caller() -> TestClient:
    router, inner = APIRouter(prefix="/v1"), APIRouter(prefix="/in")

    @inner.get("/form")
    def form(asked: Annotated[Asked, Query()]) -> dict[str, object]:
        return asked.model_dump(by_alias=True)

    @inner.get("/none")
    def none(request: Request) -> dict[str, str]:
        return dict(request.query_params)

    router.include_router(inner)
    return TestClient(
        create_app([router], [], Access(NO_GUARDS.sign_ins), Meter(Part.API, METRICS)), "http://localhost"
    )


@pytest.mark.parametrize(
    ("query", "parameter", "seen"),
    [
        ("form?region=EMEA&region=AMER", "region", '["EMEA", "AMER"]'),
        ("form?region=EMEA&by=a&region=EMEA&by=b", "region", '["EMEA", "EMEA"]'),
        ("form?from=1&from=2", "from", '["1", "2"]'),
        ("form?scope.x=1&scope.x=2", "scope.x", '["1", "2"]'),
        ("none?type=a&type=b", "type", '["a", "b"]'),
    ],
)
def test_what_takes_one_value_is_refused_where_it_is_given_twice(
    caller: TestClient, query: str, parameter: str, seen: str
) -> None:
    answer = caller.get(f"/v1/in/{query}")
    assert answer.status_code == 422
    assert answer.json()["detail"] == f"{parameter}: seen {seen}, wanted one value"
    assert answer.json()["faults"] == [{"in": "query", "parameter": parameter, "seen": seen, "wanted": "one value"}]


def test_what_takes_several_values_is_given_as_often_as_one_likes(caller: TestClient) -> None:
    answer = caller.get("/v1/in/form?by=a&by=b&region=EMEA")
    assert answer.json() == {"region": "EMEA", "from": None, "by": ["a", "b"]}


def test_each_that_is_given_twice_is_told_and_cut_short_where_it_is_long(caller: TestClient) -> None:
    long = "x" * 5_000
    answer = caller.get("/v1/in/form", params=[("region", long), ("region", long), (long, "1"), (long, "2")])
    assert [each["parameter"] for each in answer.json()["faults"]] == ["region", "x" * 64]
    assert len(answer.text) < 1_000
