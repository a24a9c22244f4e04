"""What the demo asks the product, over its public HTTP API only."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from urllib.parse import quote

from throughline.demo.product import Api
from throughline.demo.programs import DemoFailed
from throughline.demo.verify import Document

FOLD_SECONDS = 60.0
COUNT_SECONDS = 180.0  # figures give way to all else on a busy machine
ASK_EVERY_SECONDS = 0.7
PAGE_OF_CASES = "500"


def wait_until_folded(api: Api, position: str) -> None:
    """Wait until a position is folded into the cases; raise DemoFailed where that takes too long."""
    until = time.monotonic() + FOLD_SECONDS
    while True:
        status = api.get("/status", folded=position, wait="10s")
        if status["reached"]:
            return
        if time.monotonic() > until:
            raise DemoFailed(f"position {position} was not folded within {FOLD_SECONDS:.0f} s, only {status['folded']}")


def wait_until_counted(api: Api) -> list[Document]:
    """Wait until every change of a case is in the figures of KPIs; return the list of these.

    Raise DemoFailed where none is counted for too long.
    """
    until, least = time.monotonic() + COUNT_SECONDS, (math.inf, math.inf)
    while True:
        listed = api.get("/kpis")
        behind = math.inf if listed["behind"] is None else listed["behind"]
        if behind == 0 and not listed["walking"]:
            return listed["kpis"]
        left = 1.0 - listed["walked"] if listed["walking"] else 0.0, behind
        if left < least:
            until, least = time.monotonic() + COUNT_SECONDS, left
        if time.monotonic() > until:
            why = f"; {listed['waits']}" if listed["waits"] else ""
            raise DemoFailed(
                f"{listed['behind']} changes wait to be counted, and none was for {COUNT_SECONDS:.0f} s{why}"
            )
        time.sleep(ASK_EVERY_SECONDS)


OF_THE_MOMENT = frozenset({"stock", "deviations", "age", "gauge"})  # kinds of KPIs that tell what stands


def readings_of(api: Api, listed: Iterable[Document], first: date, last: date) -> dict[str, Document]:
    """Return the reading of each KPI that has one: of some days, or of what stands."""
    found: dict[str, Document] = {}
    for kpi in (each["kpi"] for each in listed):
        days = {} if kpi["kind"] in OF_THE_MOMENT else {"from": first.isoformat(), "to": last.isoformat()}
        answered = api.find(f"/kpis/{kpi['id']}/readings", **days)
        if answered is not None and answered["readings"]:
            (found[kpi["id"]],) = answered["readings"]
    return found


def readings_by(api: Api, kpi: str, dimension: str) -> dict[str | None, Document]:
    """Return the readings of a KPI of what stands, by the values of a dimension."""
    answered = api.get(f"/kpis/{kpi}/readings", by=dimension)
    return {each["by"][dimension]: each for each in answered["readings"]}


def case_lines(api: Api) -> Iterator[Document]:
    """Yield every case of the list, page by page."""
    cursor: dict[str, str] = {}
    while True:
        page = api.get("/cases", limit=PAGE_OF_CASES, **cursor)
        yield from page["cases"]
        if page["next"] is None:
            return
        cursor = {"cursor": page["next"]}


def document(api: Api, line: Document) -> Document:
    """Return the document of a listed case."""
    scope = {f"scope.{name}": value for name, value in line["scope"].items()}
    return api.get(f"/cases/{quote(line['process'], safe='')}/{quote(line['name'], safe='')}", **scope)


def events_counted(api: Api) -> int:
    return api.get("/status")["counts"]["events"]


def set_aside(api: Api) -> list[str]:
    """Return why events were set aside, one sentence each."""
    return [
        f"{entry['source']} {entry['event_id']}: {entry['sentence']}" for entry in api.get("/quarantine")["entries"]
    ]


def known(api: Api) -> str:
    """Say in a few words what the product knows by now."""
    counts = api.get("/status")["counts"]
    cases, deviations = counts["cases"], counts["deviations"]
    return f"{sum(cases.values()):,} cases, {cases['open']:,} open, {sum(deviations.values()):,} deviations"


def blind_sources(api: Api) -> list[tuple[str, str]]:
    """Return the sources that are silent for longer than their cadence, and since when."""
    sources = api.get("/status")["sources"]
    return [(source["source"], source["blind_since"]) for source in sources if source["blind_since"]]


def occasionally(question: Callable[[], str]) -> Callable[[], str]:
    """Return a way to ask that asks again only after a while, and gives the last answer until then."""
    answer, asked_at = "", 0.0

    def ask() -> str:
        nonlocal answer, asked_at
        if time.monotonic() - asked_at >= ASK_EVERY_SECONDS:
            answer, asked_at = question(), time.monotonic()
        return answer

    return ask
