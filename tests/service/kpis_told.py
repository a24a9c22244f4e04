"""The text of all KPIs of a store, read from scratch, served as a part of Throughline would tell it."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from kpis.catalogue import load_catalogue
from kpis.cell import Summing, cells_of
from kpis.declaration import Declaration, Kind
from kpis.exposition import LABELS, Current, expose_readings
from kpis.observe import Observer
from kpis.reading import Asked, Beside, Moment, Reader, Reading, readings
from kpis.scratch import Scope, every_case, moment_of
from lineage.definitions import load_definitions
from lineage.engine import Limits
from lineage.generations import store_place
from lineage.read import CaseReader, Snapshot
from throughline.core.estate import Estate, load_estate
from throughline.core.metrics import expose_samples, merge_expositions

WINDOW_DAYS = 90
_OF_CASES = frozenset(Kind) - {Kind.RATIO, Kind.VARIANCE, Kind.BALANCE, Kind.GAUGE, Kind.NONE}


def told(data: Path, definitions: Path, now: int) -> str:
    """Return the text of the KPIs of a data folder as of an instant."""
    declared, estate = load_definitions(definitions), load_estate(definitions)
    kpis = load_catalogue(definitions, declared).kpis.values()
    reader = CaseReader(store_place(data, None), declared, estate, Limits(), lambda: now)
    with closing(reader), reader.snapshot() as snapshot:
        currents = list(_currents(snapshot, estate, list(kpis)))
    text = expose_samples(expose_readings(currents, estate, now))
    return merge_expositions({"watch": text})


def _currents(snapshot: Snapshot, estate: Estate, kpis: list[Declaration]) -> Iterator[Current]:
    cases, moment = list(every_case(snapshot)), moment_of(snapshot, estate)
    for kpi in kpis:
        if kpi.formula.kind not in _OF_CASES:
            yield Current(kpi, {}, Reading(None, "no source yet", Beside(0, 0, 0, {}, {})))
            continue
        observer = Observer(kpi, estate)
        observed = [observer.observe(case) for case in cases]
        summing = Summing(kpi, observer.counting, estate.calendars)
        cells = cells_of(summing, (each for of_case in observed for each in of_case.observations))
        reader = Reader(kpi, observer.counting, summing, moment)
        asked = Asked(sum(each.looked_at for each in observed), hours=_hours(summing, moment))
        for by in ((), *((dimension,) for dimension in LABELS if dimension in kpi.dimensions)):
            for values, reading in readings(reader, cells, by, asked).items():
                yield Current(kpi, dict(zip(by, values, strict=True)), reading, WINDOW_DAYS)


def _hours(summing: Summing, moment: Moment) -> float | None:
    first = moment.today - timedelta(days=WINDOW_DAYS - 1)
    return Scope(first, moment.today).hours(summing, moment.now)


class Telling:
    """Something to scrape; ``text`` may be set anew."""

    def __init__(self) -> None:
        self.text = ""
        self.address = ""


@contextmanager
def telling() -> Generator[Telling]:
    """Answer every question with a text."""
    told = Telling()

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = told.text.encode()
            self.send_response(200)
            self.send_header("content-type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        told.address = f"127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield told
        finally:
            server.shutdown()
            thread.join()
