"""A story told to a real engine with a store on disk: time is passed in, and the engine may be opened anew."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from lineage.cases import Filter, list_cases
from lineage.document import encode_document
from lineage.engine import Engine
from lineage.orphans import Filter as OrphanFilter
from lineage.process import Definitions
from lineage.read import Snapshot
from lineage.saving import EMPTY
from tests.guarantees.firm import ESTATE, happened
from tests.guarantees.shown import DEFAULTS, PACK, listed, orphan_lines, read, record_document, snapshot_of, status
from tests.unit.lineage.adapter import settle, tick
from throughline.core.estate import Estate
from throughline.core.event import Event
from throughline.core.instants import format_instant, parse_instant
from throughline.core.journal import MAPPING, Record
from throughline.core.key import Key
from throughline.core.statement import Statement


class Belief(NamedTuple):
    """What was once believed of a step of a round, since when, and until when and why."""

    step: str
    round: int
    opened: str
    closed: str | None
    closed_as: str | None


class Story:
    """An engine of the shipped processes over the firm of tests/guarantees. Times are RFC 3339 texts."""

    def __init__(self, path: Path, estate: Estate = ESTATE, definitions: Definitions = PACK) -> None:
        self._path = path
        self._estate = estate
        self._definitions = definitions
        self._told = 0
        self.now = 0
        self.engine = self._open()

    def _open(self) -> Engine:
        return Engine.open(self._path, self._definitions, self._estate, DEFAULTS)

    def close(self) -> None:
        self.engine.close()

    def opened_anew(self) -> None:
        """End the engine and open another on the same store."""
        self.close()
        self.engine = self._open()

    def at(self, moment: str) -> None:
        """Let time pass to a moment, and do what is due then."""
        now = parse_instant(moment)
        assert now >= self.now
        self.now = now
        tick(self.engine, now)

    def tell(self, *events: Event) -> None:
        """Fold events as one record of the journal, now, and do what they put off."""
        self._told += 1
        self.engine.fold_records([Record(self._told, self.now, MAPPING, list(events), [], [])], self.now)
        settle(self.engine, self.now)
        tick(self.engine, self.now)

    def happens(self, kind: str, at: str | None = None, event_id: str | None = None, **more: Any) -> Event:
        """Tell of an event that is received now, and happened now or before; return it."""
        self._told += 1
        time = self.now if at is None else parse_instant(at)
        event = happened(event_id or f"{kind} {self._told}", kind, time, received=self.now, **more)
        self.tell(event)
        return event

    def hear(self, source: str, until: str | None = None) -> None:
        """Tell of a heartbeat of a source, received now."""
        self.happens("source.heartbeat", source=source, **({} if until is None else {"until": until}))

    def state(self, statement: Statement) -> None:
        self.engine.state([statement], self.now)
        settle(self.engine, self.now)
        tick(self.engine, self.now)

    # What is shown.

    def snapshot(self) -> Snapshot:
        return snapshot_of(self.engine, self._definitions, self._estate, DEFAULTS, self.now)

    def document(
        self, name: str, process: str = "time-to-bill", scope: tuple[str, ...] = (), kind: str | None = None
    ) -> dict[str, Any]:
        """Return the public document of a case; ``kind`` is the type of key that a provisional one is called after."""
        snapshot = self.snapshot()
        key = Key(kind or self._definitions.processes[process].name_key, name, scope).encode()
        (row,) = snapshot.store.cases_by_name(snapshot.process_ids[process], [key]).values()
        return read(encode_document(snapshot.document(snapshot.view(row))))

    def step(self, name: str, step: str, process: str = "time-to-bill", scope: tuple[str, ...] = ()) -> dict[str, Any]:
        """Return a step in the last round of a case's document."""
        (found,) = [each for each in self.document(name, process, scope)["rounds"][-1]["steps"] if each["step"] == step]
        return found

    def record(self, kind: str, value: str) -> dict[str, Any]:
        """Return the lineage of a record."""
        (found,) = read(record_document(self.snapshot(), kind, value))
        return found

    def line(self, name: str, process: str = "time-to-bill") -> dict[str, Any]:
        """Return the case's line in the list of cases."""
        (found,) = [each for each in self.lines() if (each["process"], each["name"]) == (process, name)]
        return found

    def lines(self, wanted: Filter | None = None) -> list[dict[str, Any]]:
        snapshot = self.snapshot()
        if wanted is None:
            return read(listed(snapshot))["cases"]
        names = {(each.line.process, each.line.name) for each in list_cases(snapshot, wanted, None, 1_000)}
        return [each for each in self.lines() if (each["process"], each["name"]) in names]

    def orphans(self, wanted: OrphanFilter | None = None) -> list[dict[str, Any]]:
        """Return the list of what waits too long."""
        return msgspec.to_builtins(orphan_lines(self.snapshot(), wanted or OrphanFilter()))

    def status(self) -> dict[str, Any]:
        return read(status(self.snapshot(), self._estate))

    def source(self, name: str) -> dict[str, Any]:
        """Return what status says of a source."""
        (found,) = [each for each in self.status()["sources"] if each["source"] == name]
        return found

    def beliefs(self, name: str, kind: str = "overdue") -> list[Belief]:
        """Return what was believed of a case, given by its name with its scope, by round and step."""
        rows = self.engine.store.rows(
            "SELECT belief.step, round, opened_at, closed_at, closed_as FROM belief JOIN cases ON cases.id = case_id"
            " WHERE cases.name LIKE ? AND kind = ? AND state <> ? ORDER BY round, belief.step",
            f"%\x1f{name}",
            kind,
            EMPTY,
        )
        return [Belief(row[0], row[1], format_instant(row[2]), _text(row[3]), row[4]) for row in rows]


def _text(instant: int | None) -> str | None:
    return None if instant is None else format_instant(instant)


def open_kinds(document: dict[str, Any]) -> list[tuple[str, str | None]]:
    """Return kind and step of each open deviation of a document."""
    return [(each["kind"], each["step"]) for each in document["deviations"] if each["open"]]
