"""Quarantine: what was set aside, with the reason: by the doors as unreadable, by the engine as one too many."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from threading import Lock
from typing import Annotated, Any, NamedTuple

import msgspec
from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from lineage.read import CaseReader, Snapshot
from throughline.api.answers import json_answer
from throughline.core.cursor import read_cursor, write_cursor
from throughline.core.errors import StoreUnavailable
from throughline.core.event import Event
from throughline.core.instants import format_instant
from throughline.core.journal import (
    JournalReader,
    QuarantineFilter,
    Replay,
    ReplayOutcome,
    SetAsideEvent,
    position_text,
)
from throughline.core.masking import masked
from throughline.core.problem import Problem, ProblemKind

Text = Annotated[str, Field(min_length=1, max_length=1024)]


class ReplayedDocument(msgspec.Struct, frozen=True):
    """That an entry went the same way again: when, by whom, whether it was ``taken`` or ``set_aside`` again, and why.

    ``events`` were taken, and are in the journal at ``position``; where an input has several, also of one set aside.
    """

    at: str
    by: str
    outcome: ReplayOutcome
    events: int
    position: str | None
    reason: str | None
    sentence: str | None


class QuarantinedDocument(msgspec.Struct, frozen=True):
    """What was set aside once or more often (``times``), the very same each time; ``sentence`` says why in words.

    ``taken``: a replay has taken it; ``replays`` are all of them, first to last.

    What the engine set aside has neither door nor sender, and its ``times`` are not counted: an event that came under
    the source and id of another one, which was received first (``other_content``), or one of a time of which no more
    is kept (``too_old``).
    """

    id: str
    received: str
    last_received: str
    times: int | None
    door: str | None
    sender: str | None
    source: str | None
    event_id: str | None
    type: str | None
    reason: str
    sentence: str
    taken: bool
    replays: list[ReplayedDocument]


class QuarantineEntry(QuarantinedDocument, frozen=True, kw_only=True):
    """An entry with what came in: ``body`` as text, what looks like a secret masked, cut to 65,536 characters.

    ``content_type`` is that of a request of its own, which the body is; ``body_bytes`` its length as it came.
    """

    content_type: str
    body_bytes: int
    body: str
    body_cut: bool


class QuarantineList(msgspec.Struct, frozen=True):
    """A page: the doors' entries in order of arrival, then the engine's; ``next`` is the cursor of the next page."""

    entries: list[QuarantinedDocument]
    next: str | None


class QuarantineAsked(BaseModel):
    """Which entries of the quarantine to give, how many, and from where on."""

    model_config = ConfigDict(extra="forbid")

    reason: Text | None = None
    type: Text | None = None
    source: Text | None = None
    taken: bool | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    cursor: str | None = None


def quarantined(entry: SetAsideEvent, replays: Sequence[Replay]) -> QuarantinedDocument:
    """Return the document of an entry."""
    return QuarantinedDocument(
        id=f"q{entry.id}",
        received=format_instant(entry.received),
        last_received=format_instant(entry.last_received),
        times=entry.times,
        door=entry.door,
        sender=entry.sender,
        source=entry.source and masked(entry.source),
        event_id=entry.event_id and masked(entry.event_id),
        type=entry.type and masked(entry.type),
        reason=entry.reason,
        sentence=entry.sentence,
        taken=any(each.outcome is ReplayOutcome.TAKEN for each in replays),
        replays=[_replayed(each) for each in replays],
    )


def _replayed(replay: Replay) -> ReplayedDocument:
    return ReplayedDocument(
        at=format_instant(replay.at),
        by=replay.by,
        outcome=replay.outcome,
        events=replay.events,
        position=None if replay.record is None else position_text(replay.record),
        reason=replay.reason,
        sentence=replay.sentence,
    )


class EngineEntry(NamedTuple):
    """A content that the engine set aside under the digest of a source and id; ``known``: another one counts there."""

    digest: bytes
    event: Event
    known: bool

    @property
    def reason(self) -> str:
        return OTHER_CONTENT if self.known else TOO_OLD


def set_aside_by_engine(entry: EngineEntry) -> QuarantinedDocument:
    """Return the document of a content that does not count."""
    digest, event, _ = entry
    received = format_instant(event.received)
    return QuarantinedDocument(
        id=f"e{digest.hex()}{event.digest.hex()}",
        received=received,
        last_received=received,
        times=None,
        door=None,
        sender=None,
        source=masked(event.source),
        event_id=event.id,
        type=event.type,
        reason=entry.reason,
        sentence=_SENTENCES[entry.reason].format(format_instant(event.time)),
        taken=False,
        replays=[],
    )


def _with_body(document: QuarantinedDocument, content_type: str, body: bytes) -> QuarantineEntry:
    text = masked(body.decode("utf-8", "replace").translate(_UNPRINTABLE))
    return QuarantineEntry(
        **{name: getattr(document, name) for name in QuarantinedDocument.__struct_fields__},
        content_type=content_type,
        body_bytes=len(body),
        body=text[:MOST_BODY],
        body_cut=len(text) > MOST_BODY,
    )


def read_id(text: str) -> int:
    """Return the number of an entry of the doors. Raises Problem where it names none."""
    if text.startswith("q") and text[1:].isascii() and text[1:].isdigit() and len(text) <= _LONGEST_ID:
        return int(text[1:])
    raise _unknown(text)


def _unknown(text: str) -> Problem:
    return Problem(ProblemKind.NOT_FOUND, f"seen {text[:64]!r}, wanted the id of an entry, such as q17")


MOST_BODY = 65_536
_READ_AT_ONCE = 1_000
OTHER_CONTENT = "other_content"
TOO_OLD = "too_old"
_SENTENCES = {
    OTHER_CONTENT: "seen another content under this source and id, wanted one: the one received first counts",
    TOO_OLD: "time: seen {}, of which no more is kept, wanted a later one; `throughline import --history` takes in what"
    " is older",
}
_LONGEST_ID = 18
_UNPRINTABLE = {code: "·" for code in range(32) if chr(code) not in "\t\n\r"}


class _At(NamedTuple):
    """Where a page ended: after an entry of the doors, and, once these are through, after one of the engine's."""

    door: int = 0
    digest: bytes = b""
    content: bytes = b""


def routes(journal: JournalReader, reader: CaseReader) -> APIRouter:
    """Return the routes by which the quarantine is read."""
    router = APIRouter(tags=["quarantine"])
    one_at_a_time = Lock()

    def doors(at: _At, limit: int, asked: QuarantineAsked) -> list[QuarantinedDocument]:
        wanted = QuarantineFilter(asked.reason, asked.type, asked.source, asked.taken)
        with one_at_a_time:
            found = journal.quarantine(at.door, limit, wanted)
            replays = journal.replays([entry.id for entry in found])
        return [quarantined(entry, replays.get(entry.id, [])) for entry in found]

    def engines(at: _At, limit: int, asked: QuarantineAsked) -> list[EngineEntry]:
        if asked.taken or asked.reason not in (None, OTHER_CONTENT, TOO_OLD):
            return []
        with suppress(StoreUnavailable), reader.snapshot() as snapshot:
            return _fitting(snapshot, at, limit, asked)
        return []  # no store yet

    def of_door(text: str) -> QuarantineEntry:
        number = read_id(text)
        with one_at_a_time:
            entry, stored = journal.quarantined(number), journal.quarantined_body(number)
            replays = journal.replays([number]).get(number, [])
        if entry is None or stored is None:
            raise _unknown(text)
        return _with_body(quarantined(entry, replays), *stored)

    def of_engine(text: str) -> QuarantineEntry:
        with suppress(ValueError), reader.snapshot() as snapshot:
            digests = bytes.fromhex(text[1:])
            digest, content = digests[: len(digests) // 2], digests[len(digests) // 2 :]
            event = snapshot.store.other_contents(digest).get(content)
            if event is not None:
                entry = EngineEntry(digest, event, bool(snapshot.store.seen([digest])))
                return _with_body(set_aside_by_engine(entry), "application/json", _event_text(event))
        raise _unknown(text)

    @router.get(
        "/api/v1/quarantine",
        summary="What was set aside, and why",
        response_class=Response,
        responses={200: _shows(QuarantineList)},
    )
    def get_quarantine(asked: Annotated[QuarantineAsked, Query()]) -> Response:
        """What came in again and again is one entry."""
        at = _At(*read_cursor(asked.cursor, tuple[int, bytes, bytes])) if asked.cursor else _At()
        wanted = asked.limit + 1
        page = [(entry, at._replace(door=read_id(entry.id))) for entry in doors(at, wanted, asked)]
        if len(page) < wanted:
            through = page[-1][1] if page else at
            page += [
                (set_aside_by_engine(entry), through._replace(digest=entry.digest, content=entry.event.digest))
                for entry in engines(at, wanted - len(page), asked)
            ]
        entries = [entry for entry, _ in page[: asked.limit]]
        more = write_cursor(page[asked.limit - 1][1]) if len(page) > asked.limit else None
        return json_answer(QuarantineList(entries, more))

    @router.get(
        "/api/v1/quarantine/{id}",
        summary="One entry, with what came in",
        response_class=Response,
        responses={200: _shows(QuarantineEntry)},
    )
    def get_entry(id: str) -> Response:
        """Its body as text, with what looks like a secret masked."""
        return json_answer(of_engine(id) if id.startswith("e") else of_door(id))

    return router


def _fitting(snapshot: Snapshot, at: _At, limit: int, asked: QuarantineAsked) -> list[EngineEntry]:
    """Return up to ``limit`` contents that do not count, after one of them, of the kind asked for."""
    found: list[EngineEntry] = []
    while rows := snapshot.store.other_contents_after(at.digest, at.content, _READ_AT_ONCE):
        known = snapshot.store.seen([digest for digest, _ in rows])
        for digest, event in rows:
            entry = EngineEntry(digest, event, digest in known)
            if (
                asked.type in (None, event.type)
                and asked.source in (None, event.source)
                and asked.reason in (None, entry.reason)
            ):
                found.append(entry)
                if len(found) == limit:
                    return found
        at = at._replace(digest=rows[-1][0], content=rows[-1][1].digest)
    return found


def _event_text(event: Event) -> bytes:
    members = msgspec.structs.asdict(event) | {"digest": event.digest.hex()}
    return msgspec.json.encode({name: value for name, value in members.items() if value not in (None, [], {}, False)})


def _shows(document: type) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{document.__name__}"}
    return {"description": "Found", "content": {"application/json": {"schema": schema}}}
