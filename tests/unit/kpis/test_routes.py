"""Routes of KPIs refuse what they would pass over, and a curve leads to its cases."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from kpis import cell, distribution, documents, keep, reading
from kpis.store import open_kpi_writer
from tests.unit.kpis.golden import FOLDER, event, golden
from tests.unit.kpis.test_keeping import World
from tests.unit.kpis.test_values import asking, asking_of
from throughline.core.event import Event

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


def test_the_list_tells_how_far_a_look_at_every_case_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(keep, "CASES_AT_ONCE", 1)
    case = golden(FOLDER / "billing-readiness-lag.yaml")
    kpis = open_kpi_writer(tmp_path / "kpis.db")
    with closing(kpis.connection), asking_of(world := World(case, kpis), tmp_path) as client:
        world.fold(case.events)
        world.follow()
        assert client.get(KPIS).json()["walked"] is None
        with world.snapshot() as snapshot:
            world.keeper.backfill(snapshot)
        parts = [client.get(KPIS).json()["walked"]]
        while world.keeper.follow(world.snapshot):
            parts.append(client.get(KPIS).json()["walked"])
        assert client.get(KPIS).json()["walked"] is None
    assert (parts[0], parts[-1]) == (0, 1)
    assert parts == sorted(set(parts))
    assert len(parts) > 2


@pytest.mark.parametrize(("at_least", "below"), [(9000, 10), (10, 10)])
def test_bounds_between_which_no_length_lies_are_refused(caller: TestClient, at_least: int, below: int) -> None:
    answer = caller.get(f"{KPIS}/billing-readiness-lag/cases", params={"at_least": at_least, "below": below})
    assert answer.status_code == 422, answer.text
    assert answer.json()["detail"] == f"below: seen {below} with at_least {at_least}, wanted more than at_least"
    assert answer.json()["faults"][0]["parameter"] == "below"


def test_bounds_of_one_second_are_taken(caller: TestClient) -> None:
    assert caller.get(f"{KPIS}/billing-readiness-lag/cases", params={"at_least": 9, "below": 10}).status_code == 200


@pytest.mark.parametrize("path", [f"{KPIS}/{{}}", f"{KPIS}/{{}}/cases", "/api/v1/signals?name={}"])
def test_a_long_id_is_cut_short_where_it_is_told(caller: TestClient, path: str) -> None:
    answer = caller.get(path.format("x" * 1_000))
    assert answer.status_code == 404
    wanted = "the id of a KPI: `throughline kpis list` and /api/v1/kpis list them"
    assert answer.json()["detail"] == f"seen '{'x' * 59}…, wanted {wanted}"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"every": "week"}, "every: seen week, wanted day or month: no others are published"),
        (
            {"from": "2026-11-02", "to": "2026-11-01"},
            "from: seen 2026-11-02 with to=2026-11-01, wanted no later than to",
        ),
    ],
)
def test_figures_that_are_never_published_are_not_asked_for(
    caller: TestClient, asked: dict[str, str], said: str
) -> None:
    answer = caller.get(f"{KPIS}/billing-readiness-lag/published", params=asked)
    assert answer.status_code == 422
    assert answer.json()["detail"] == said


def test_nothing_was_published_yet(caller: TestClient) -> None:
    answer = caller.get(f"{KPIS}/billing-readiness-lag/published", params={"every": "day", "standing": "true"})
    assert answer.json() == {"kpi": "billing-readiness-lag", "published": [], "next": None}


def entries(count: int) -> list[Event]:
    """Return entries of one Monday that were released, or rejected, each so many seconds later than the one before."""
    found: list[Event] = []
    for n in range(count):
        ended = f"{10 + n // 60}:{n % 60:02}:{n * 7 % 60:02}"
        how = "billing.released T-{} system=erp" if n % 5 else "time.rejected T-{}"
        lines = f"2026-11-02 09:30 time.approved T-{n}", f"2026-11-02 {ended} {how.format(n)}"
        found += [event(2 * n + place, line, "time_entry", "Europe/Berlin") for place, line in enumerate(lines)]
    return found


@pytest.mark.parametrize("most_points", [documents.MOST_POINTS, 7])
@pytest.mark.parametrize("exact", [distribution.EXACT, 2])
def test_each_point_of_a_curve_leads_to_the_cases_that_ended_since_the_one_before(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, exact: int, most_points: int
) -> None:
    for module in (distribution, cell, reading):
        monkeypatch.setattr(module, "EXACT", exact)
    monkeypatch.setattr(documents, "MOST_POINTS", most_points)
    lag = golden(FOLDER / "billing-readiness-lag.yaml")._replace(events=entries(60))
    asked, path = {"from": "2026-11-02", "to": "2026-11-02"}, f"{KPIS}/billing-readiness-lag"
    with asking(lag, tmp_path) as client:
        (found,) = client.get(f"{path}/readings", params={**asked, "curve": "true"}).json()["readings"]
        assert (found["answer"]["error"] > 0) is (exact == 2)
        points = found["answer"]["curve"]
        ended = {"ending": ["done", "competing"]}
        for each in points:
            bar = {"at_least": each["at_least"], "below": each["below"]}
            behind = client.get(f"{path}/cases", params={**asked, **bar, **ended}).json()
            assert behind["total"] == each["ended"] > 0
            assert bar["at_least"] <= each["seconds"] < bar["below"]
        assert (max(each["ended"] for each in points) > 1) is (exact == 2 or most_points == 7)
        assert sum(each["ended"] for each in points) == found["beside"]["done"] + 12
        assert [each["below"] for each in points[:-1]] == [each["at_least"] for each in points[1:]]
