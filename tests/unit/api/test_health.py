"""Health: each part's reason is told, and metrics leave out who does not answer."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from lineage.engine import Engine, Limits
from lineage.process import Definitions
from throughline.api.collector_way import CollectorWay
from throughline.api.health import Neighbours, runs_by
from throughline.api.store_watch import StoreWatch
from throughline.core.estate import load_estate
from throughline.core.journal import JournalReader
from throughline.core.metric_names import METRICS
from throughline.core.metrics import Meter, Part

NOTHING = Definitions({}, {})
ESTATE = load_estate(None)
NOWHERE = "127.0.0.1:1"


@contextmanager
def collector(status: int, text: bytes) -> Generator[str]:
    """Run a stand-in for the collector's own health."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class Behind(JournalReader):
    """A journal whose last record is far ahead of what is folded."""

    def last(self) -> int:
        return 9


class Around:
    """Makes the API's neighbours, and closes what they read."""

    def __init__(self) -> None:
        self.readers = ExitStack()

    def __call__(
        self,
        folder: Path,
        at: str,
        runs: Callable[[Part], bool] = lambda _: True,
        journal: JournalReader | None = None,
        monotonic: Callable[[], float] = lambda: 0.0,
    ) -> Neighbours:
        watch = StoreWatch(folder / "store.db")
        self.readers.callback(watch.close)
        found = journal or JournalReader(folder / "journal.db")
        return Neighbours(CollectorWay(at, ""), watch, found, runs, monotonic=monotonic)


@pytest.fixture
def neighbours() -> Generator[Around]:
    around = Around()
    with around.readers:
        yield around


@pytest.fixture
def store(tmp_path: Path) -> Generator[Path]:
    engine = Engine.open(tmp_path / "store.db", NOTHING, ESTATE, Limits())
    yield tmp_path
    engine.close()


def reasons(health: Neighbours) -> dict[str, str | None]:
    return {part.part.value: part.reason for part in health.health().parts}


def test_all_is_well_where_everybody_answers(neighbours: Around, store: Path) -> None:
    with collector(200, b"{}") as at:
        assert neighbours(store, at).health().ready is True


def test_the_collector_s_own_reason_is_told(neighbours: Around, store: Path) -> None:
    with collector(503, b"the journal can't be written: the disk is full") as at:
        health = neighbours(store, at)
        assert health.health().ready is False
        assert reasons(health)["collector"] == "the journal can't be written: the disk is full"
    assert "does not answer" in str(reasons(neighbours(store, NOWHERE))["collector"])


def test_reasons_that_the_collector_gives_as_a_document_are_told_as_a_sentence(neighbours: Around, store: Path) -> None:
    document = b'{"ready": false, "reasons": ["the disk is full", "no room for connections"]}'
    with collector(503, document) as at:
        assert reasons(neighbours(store, at))["collector"] == "the disk is full; no room for connections"
    with collector(503, b"") as at:
        assert reasons(neighbours(store, at))["collector"] == "it answers 503"


def test_what_a_ready_collector_warns_of_is_told(neighbours: Around, store: Path) -> None:
    with collector(200, b'{"ready": true, "reasons": [], "warnings": ["the file of tokens has a fault"]}') as at:
        health = neighbours(store, at)
        assert health.health().ready is True
        assert reasons(health)["collector"] == "the file of tokens has a fault"


def test_an_engine_that_does_not_run_or_has_no_store_is_told(
    neighbours: Around, store: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    stopped = neighbours(store, NOWHERE, runs=lambda part: part is not Part.ENGINE)
    assert reasons(stopped)["engine"] == "it does not run just now"
    without = neighbours(tmp_path_factory.mktemp("none"), NOWHERE)
    assert "store.db" in str(reasons(without)["engine"])


def test_an_engine_that_stands_before_a_record_is_told_after_a_while(neighbours: Around, store: Path) -> None:
    ticks = iter([0.0, 10.0, 61.0])
    behind = neighbours(store, NOWHERE, journal=Behind(store / "journal.db"), monotonic=lambda: next(ticks))
    assert reasons(behind)["engine"] is None
    assert reasons(behind)["engine"] is None
    assert reasons(behind)["engine"] == "it has not folded the next record for 61 seconds"


def test_metrics_leave_out_who_does_not_answer(neighbours: Around, store: Path) -> None:
    meter = Meter(Part.API, METRICS)
    with collector(200, b"# HELP a b\n# TYPE a gauge\na 1\n") as at:
        assert 'a{part="collector"} 1' in neighbours(store, at).metrics(meter)
    text = neighbours(store, NOWHERE).metrics(meter)
    assert "throughline_api_seconds" in text
    assert 'part="collector"' not in text


def test_parts_run_while_their_process_does(tmp_path: Path) -> None:
    path = tmp_path / "parts.json"
    runs = runs_by(path)
    assert runs(Part.ENGINE)  # nobody wrote ids: it is not for us to say
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    path.write_text(f'{{"engine": {os.getpid()}, "collector": {ended.pid}}}')
    assert runs(Part.ENGINE)
    assert not runs(Part.COLLECTOR)
    assert not runs(Part.API)
