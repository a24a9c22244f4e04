"""Nothing that a caller can ask or state breaks the API: a clear answer each, and good traffic goes on."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from tests.hostile import api
from tests.hostile.beset import Beset
from tests.hostile.http1 import answer_to
from tests.hostile.transport import Wanted, spoilt
from tests.service.serving import serving

pytestmark = pytest.mark.xdist_group("hostile_api")

ROWS = spoilt(api.way()) | api.TABLE


@pytest.fixture(scope="module")
def beset(tmp_path_factory: pytest.TempPathFactory) -> Generator[Beset]:
    folder = tmp_path_factory.mktemp("hostile")
    with serving(folder / "data", "--request-seconds", "3", "--connections", "200") as serve, Beset(serve) as beset:
        yield beset


@pytest.mark.parametrize("name", ROWS)
def test_it_is_answered_clearly(beset: Beset, name: str) -> None:
    sent, wanted = ROWS[name]
    with beset.under():
        status, answer = answer_to(beset.serve.addresses["api"], sent)
    assert status in as_set(wanted), answer
    assert status == 200 or b"application/problem+json" in answer


def as_set(wanted: Wanted) -> frozenset[int]:
    return wanted if isinstance(wanted, frozenset) else frozenset({wanted})


def test_nothing_was_stated(beset: Beset) -> None:
    assert beset.serve.get("/api/v1/statements").json["statements"] == []


def test_good_traffic_went_on_and_nothing_hostile_stayed(beset: Beset) -> None:
    beset.was_always_good()
