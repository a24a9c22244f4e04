"""A value that a dimension cannot have is refused on every route that takes it: a figure of it would look good."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from kpis.api import DOCUMENTS, KpiDesk, routes
from kpis.declaration import Dimension
from kpis.store import open_kpi_writer
from kpis.values import MOST_NAMED, declared_values
from lineage.engine import Limits
from lineage.process import Definitions, Every, Expectation, Process, Step, StepKind, Version
from lineage.read import CaseReader, Snapshot
from tests.unit.kpis.golden import DEFINITIONS, FOLDER, Golden, event, golden
from tests.unit.kpis.test_keeping import World
from throughline.api.access import Access
from throughline.api.app import create_app
from throughline.core.estate import Estate, read_estate
from throughline.core.guards import NO_GUARDS
from throughline.core.metric_names import METRICS
from throughline.core.metrics import Meter, Part
from throughline.core.yaml_file import YamlDocument

FIRM: dict[str, Any] = {
    "firm": {"default_region": "EMEA"},
    "regions": {"EMEA": {"timezone": "Europe/Berlin"}, "AMER": {"timezone": "America/New_York"}},
    "legal_entities": {"DE01": {"region": "EMEA"}},
    "flows": {"psa-erp-time": {"from": "psa", "to": "erp"}},
    "cutoffs": {"billing": {"default": {"every": "week", "on": "friday", "at": "18:00"}}},
}
NOT_DECLARED = """\
2026-11-02 08:00 time.submitted T-9 amount=1 currency=EUR region=ANZ legal_entity=AU01
2026-11-02 09:30 time.posted T-9 system=erp failed=timeout"""


def estate_of(**declared: Any) -> Estate:
    return read_estate(YamlDocument("estate.yaml", declared, {}, {}))


class Cases(CaseReader):
    """Gives the snapshots of a world."""

    def __init__(self, world: World) -> None:
        super().__init__(Path(":memory:"), DEFINITIONS, world.case.estate, Limits(), lambda: world.case.now)
        self._world = world

    @contextmanager
    def snapshot(self) -> Generator[Snapshot]:
        with self._world.snapshot() as snapshot:
            yield snapshot


@contextmanager
def asking(case: Golden, folder: Path) -> Generator[TestClient]:
    """Give what asks for the figures of a golden case."""
    kpis = open_kpi_writer(folder / "kpis.db")
    with closing(kpis.connection):
        world = World(case, kpis)
        world.fold(case.events)
        world.follow()
        with asking_of(world, folder) as client:
            yield client


@contextmanager
def asking_of(world: World, folder: Path) -> Generator[TestClient]:
    """Give what asks for the figures of a world, which are kept in a folder."""
    with closing(KpiDesk(folder / "kpis.db", world.catalogue, world.case.estate, Cases(world))) as desk:
        app = create_app([routes(desk)], DOCUMENTS, Access(NO_GUARDS.sign_ins), Meter(Part.API, METRICS))
        yield TestClient(app, "http://localhost")


def ask(kpi: str, what: str, folder: Path, firm: dict[str, Any], **only: str) -> tuple[int, dict[str, Any]]:
    """Ask for what is told of a KPI of a firm; one record is of a region and a legal entity that nobody declared."""
    found = golden(FOLDER / f"{kpi}.yaml")
    further = [event(90 + n, line, "time_entry", "UTC") for n, line in enumerate(NOT_DECLARED.splitlines())]
    case = found._replace(estate=estate_of(**firm), events=[*found.events, *further])
    with asking(case, folder) as client:
        answer = client.get(f"/api/v1/kpis/{case.declaration.name}/{what}", params=only)
    return answer.status_code, answer.json()


NEXT = "when it is next from now: billing 2026-11-06T17:00:00Z"  # in Berlin, and in New York
REFUSED = [
    ("failure-rate", "category", "time-out", "timeout, or another one of authentication, authorization, "),
    ("failure-rate", "process", "time-to-pay", "time-to-bill, or another one of actuals-to-plan, "),
    ("failure-rate", "flow", "psa-erp-times", "psa-erp-time, or another one of "),
    ("failure-rate", "region", "emea", "one of AMER, EMEA"),
    ("failure-rate", "legal_entity", "DE02", "one of DE01"),
    ("money-at-risk", "owner", "finance_ops", "finance-ops, or another one of "),
    ("money-at-risk", "cutoff", "billing", "the name of a cut-off and its time, such as billing 2026-11-06T17:00:00Z"),
    ("money-at-risk", "cutoff", "payroll 2026-11-06T17:00:00Z", "of names one of billing"),
    ("money-at-risk", "cutoff", "billing 2026-11-06T17:00:00+00:00", NEXT),
    ("money-at-risk", "cutoff", "billing 2026-11-06T17:00:01Z", NEXT),
    ("money-at-risk", "cutoff", "billing 2026-10-30T17:00:00Z", NEXT),
    ("money-at-risk", "cutoff", "billing soon", NEXT),
]


@pytest.mark.parametrize("what", ["readings", "cases"])
@pytest.mark.parametrize(("kpi", "dimension", "value", "wanted"), REFUSED)
def test_a_value_that_there_is_not_is_refused(
    kpi: str, dimension: str, value: str, wanted: str, what: str, tmp_path: Path
) -> None:
    status, answer = ask(kpi, what, tmp_path, FIRM, **{dimension: value})
    assert status == 422, answer
    (fault,) = answer["faults"]
    assert (fault["in"], fault["parameter"], fault["seen"]) == ("query", dimension, repr(value))
    assert wanted in fault["wanted"]
    assert answer["detail"] == f"{dimension}: seen {fault['seen']}, wanted {fault['wanted']}"


@pytest.mark.parametrize(("dimension", "value"), [("process", "x"), ("flow", "x"), ("region", "x")])
def test_open_work_of_a_value_that_there_is_not_is_refused(dimension: str, value: str, tmp_path: Path) -> None:
    status, answer = ask("sla-adherence", "at-risk", tmp_path, FIRM, **{dimension: value})
    assert status == 422, answer
    assert answer["detail"].startswith(f"{dimension}: seen 'x', wanted one of ")


def test_every_value_that_there_is_not_is_told(tmp_path: Path) -> None:
    status, answer = ask("failure-rate", "readings", tmp_path, FIRM, category="x", process="y", flow="psa → erp")
    assert status == 422
    assert [each["parameter"] for each in answer["faults"]] == ["process", "category"]


@pytest.mark.parametrize(
    ("kpi", "only"),
    [
        ("failure-rate", {"category": "conflict", "process": "time-to-bill", "flow": "psa-erp-time"}),
        ("failure-rate", {"flow": "psa → erp"}),  # nobody declares it: it is learnt
        ("failure-rate", {"region": "AMER"}),  # of which no record is
        ("failure-rate", {"region": "ANZ", "legal_entity": "AU01"}),  # which only a record names
        ("failure-rate", {"system": "x", "instance": "y"}),
        ("money-at-risk", {"practice": "x"}),
        ("money-at-risk", {"customer": "x"}),
        ("money-at-risk", {"owner": "finance-ops", "cutoff": "billing 2026-11-06T17:00:00Z"}),
        ("money-at-risk", {"process": "", "region": "", "legal_entity": "", "owner": "", "cutoff": ""}),
        ("failure-rate", {"flow": "", "category": ""}),
    ],
)
@pytest.mark.parametrize("what", ["readings", "cases"])
def test_what_there_is_or_nobody_says_is_answered(kpi: str, only: dict[str, str], what: str, tmp_path: Path) -> None:
    status, answer = ask(kpi, what, tmp_path, FIRM, **only)
    assert status == 200, answer


def test_where_no_region_is_declared_any_may_be_asked_for(tmp_path: Path) -> None:
    status, answer = ask("failure-rate", "readings", tmp_path, {}, region="EMEA", legal_entity="DE01")
    assert status == 200, answer


def test_what_a_kpi_is_not_told_by_is_said_first(tmp_path: Path) -> None:
    status, answer = ask("money-at-risk", "readings", tmp_path, FIRM, category="x")
    assert status == 422
    assert "those are what money-at-risk is told by" in answer["detail"]


def test_of_many_values_only_the_number_is_told(tmp_path: Path) -> None:
    entities = {f"E{number}": {"region": "EMEA"} for number in range(MOST_NAMED + 1)}
    status, answer = ask("failure-rate", "readings", tmp_path, {**FIRM, "legal_entities": entities}, legal_entity="x")
    assert status == 422
    assert answer["detail"] == "legal_entity: seen 'x', wanted one of the 51 that are declared"


def test_each_team_that_owns_a_process_or_a_part_of_it_is_an_owner() -> None:
    steps = tuple(Step(owner or "x", StepKind.INITIAL, frozenset(), (), owner=owner) for owner in ("billing", None))
    expected = Expectation("y", frozenset(), (), Every.DAY, "x", owner="payroll")
    version = Version("1", None, steps, owner="pmo", expects=(expected,))
    process = Process("p", "P", "time_entry", (), (), (), versions=(version,))
    known = declared_values(Dimension.OWNER, Definitions({"p": process}, {}), estate_of())
    assert known == {"billing", "payroll", "pmo"}
