"""Stores of KPIs in a file and in a database: whoever keeps figures, or asks for them, must not see which it is."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest

from kpis.server_store import leading_writer
from kpis.store import KpiWriter, make_kpis, open_kpi_writer
from lineage.places import Place, open_writing
from throughline.core.store_url import Schema

Fresh = Callable[[], Place]


def opened(place: Place) -> KpiWriter:
    """Open a store to keep it, once nobody else has it open."""
    if not isinstance(place, Schema):
        return open_kpi_writer(place)
    connection = open_writing(place)
    make_kpis(connection, place)
    return leading_writer(connection)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.needs("postgresql"))])
def tables(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[int], Fresh]:
    """Gives by a number what gives a place where no KPIs stand: in a database the same one, emptied."""
    if request.param == "postgresql":
        return request.getfixturevalue("kpi_tables")
    files = count(1)
    return lambda _: lambda: tmp_path / f"kpis-{next(files)}.db"


@pytest.fixture
def fresh(tables: Callable[[int], Fresh]) -> Fresh:
    """Gives places where no KPIs stand, another one each time."""
    numbers = count(1)
    return lambda: tables(next(numbers))()


@pytest.fixture
def emptied(tables: Callable[[int], Fresh]) -> Fresh:
    """Gives a place where no KPIs stand, once nobody has the former one open."""
    return tables(1)


@pytest.fixture
def store(fresh: Fresh) -> Generator[KpiWriter]:
    kpis = opened(fresh())
    with closing(kpis.connection):
        yield kpis
