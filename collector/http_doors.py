"""The two HTTP doors: CloudEvents with the collector's own health, and OTLP."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from collector.cloudevents import HEADER_PREFIX
from collector.counts import DoorCounts
from collector.http_answers import JSON, PROTOBUF, export_answer, problem_answer, receipt_answer, status_answer
from collector.http_types import Answer, Head, InHand, Request
from collector.inflate import inflate
from collector.intake import Incoming, Intake
from collector.reading import Door, Refusal, Refused, Signal
from throughline.core.metrics import CONTENT_TYPE as EXPOSITION
from throughline.core.token import Token, bearer_of

EVENTS_PATH: Final = "/v1/events"
HEALTH_PATH: Final = "/healthz"
READY_PATH: Final = "/readyz"
METRICS_PATH: Final = "/metrics"
_LOOK: Final = "GET, HEAD"

OTLP_PATHS: Final = {"/v1/traces": Signal.TRACES, "/v1/logs": Signal.LOGS, "/v1/metrics": Signal.METRICS}


class Senders:
    """Says who sends: by name where tokens are configured, else by address."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens

    def name(self, authorization: str, peer: str) -> str:
        """Return the sender's name; raises Refused where tokens are configured and none of them is given."""
        if not self._tokens:
            return peer
        scheme, _, secret = authorization.partition(" ")
        name = bearer_of(self._tokens, secret.strip()) if scheme.lower() == "bearer" else None
        if name is None:
            raise Refused(
                Refusal.UNAUTHENTICATED, "wanted a header Authorization: Bearer SECRET with a secret known here"
            )
        return name


class Bodies:
    """Undoes the content coding of bodies, within a ceiling each and a ceiling for all at once."""

    def __init__(self, most: int, in_hand: InHand) -> None:
        self._most = most
        self._in_hand = in_hand

    def take(self, request: Request) -> bytes:
        """Return the plain body; what it grew by is in hand until ``give_back``. Raises Refused."""
        coding = request.head.headers.get("content-encoding", "identity").strip().lower()
        if coding in ("identity", ""):
            return request.body
        if coding not in ("gzip", "x-gzip"):
            raise Refused(Refusal.UNSUPPORTED, "seen another content-encoding than gzip")
        body = inflate(request.body, self._most)
        self._in_hand.take(len(body), len(request.body))
        return body

    def give_back(self, request: Request, body: bytes) -> None:
        if body is not request.body:
            self._in_hand.give_back(len(body))


class EventsDoor:
    """CloudEvents at ``/v1/events``; health, readiness and metrics of the collector beside it."""

    def __init__(
        self,
        intake: Intake,
        senders: Senders,
        bodies: Bodies,
        counts: DoorCounts,
        reasons: Callable[[], list[str]],
        expose: Callable[[], str],
    ) -> None:
        """``reasons`` says why the collector isn't ready, ``expose`` gives its metrics as text."""
        self._intake = intake
        self._senders = senders
        self._bodies = bodies
        self._counts = counts
        self._reasons = reasons
        self._expose = expose

    def admit(self, head: Head) -> Answer | None:
        try:
            if head.path == EVENTS_PATH:
                _want_method(head, "POST")
                self._senders.name(head.headers.get("authorization", ""), head.peer)
            elif head.path in (HEALTH_PATH, READY_PATH, METRICS_PATH):
                _want_method(head, "GET", "HEAD")
            else:
                raise Refused(Refusal.NOT_FOUND, f"events are taken at {EVENTS_PATH}")
        except Refused as refused:
            return self.refuse(head.path, refused)
        return None

    async def answer(self, request: Request) -> Answer:
        head = request.head
        if head.path != EVENTS_PATH:
            return self._look(head.path)
        self._counts.received(len(request.body))
        body = request.body
        try:
            sender = self._senders.name(head.headers.get("authorization", ""), head.peer)
            body = self._bodies.take(request)
            headers = {name: value for name, value in head.headers.items() if name.startswith(HEADER_PREFIX)}
            content_type = head.headers.get("content-type", "")
            incoming = Incoming(Door.CLOUDEVENTS, Signal.EVENTS, sender, content_type, headers, body)
            return receipt_answer(await self._intake.take(incoming))
        except Refused as refused:
            return self.refuse(head.path, refused)
        finally:
            self._bodies.give_back(request, body)

    def refuse(self, path: str, refused: Refused) -> Answer:
        self._counts.refused(refused.refusal)
        return problem_answer(refused, "POST" if path == EVENTS_PATH else _LOOK)

    def _look(self, path: str) -> Answer:
        if path == METRICS_PATH:
            return Answer(200, EXPOSITION, self._expose().encode())
        reasons = self._reasons() if path == READY_PATH else []
        document = {"ready": not reasons, "reasons": reasons} if path == READY_PATH else {"alive": True}
        return Answer(503 if reasons else 200, JSON, msgspec.json.encode(document))


class OtlpHttpDoor:
    """OTLP over HTTP, protobuf or JSON, at ``/v1/traces``, ``/v1/logs`` and ``/v1/metrics``."""

    def __init__(self, intake: Intake, senders: Senders, bodies: Bodies, counts: DoorCounts) -> None:
        self._intake = intake
        self._senders = senders
        self._bodies = bodies
        self._counts = counts

    def admit(self, head: Head) -> Answer | None:
        media_type = _media_type(head)
        try:
            if head.path not in OTLP_PATHS:
                raise Refused(Refusal.NOT_FOUND, f"OTLP is taken at {', '.join(OTLP_PATHS)}")
            _want_method(head, "POST")
            self._senders.name(head.headers.get("authorization", ""), head.peer)
            if media_type not in (PROTOBUF, JSON):
                raise Refused(Refusal.UNSUPPORTED, f"wanted content type {PROTOBUF} or {JSON}")
        except Refused as refused:
            return self._refusal(refused, media_type)
        return None

    async def answer(self, request: Request) -> Answer:
        head = request.head
        media_type, signal = _media_type(head), OTLP_PATHS[head.path]
        self._counts.received(len(request.body))
        body = request.body
        try:
            sender = self._senders.name(head.headers.get("authorization", ""), head.peer)
            body = self._bodies.take(request)
            incoming = Incoming(Door.OTLP_HTTP, signal, sender, media_type, {}, body)
            return export_answer(signal, media_type, await self._intake.take(incoming))
        except Refused as refused:
            return self._refusal(refused, media_type)
        finally:
            self._bodies.give_back(request, body)

    def refuse(self, path: str, refused: Refused) -> Answer:
        return self._refusal(refused, PROTOBUF)

    def _refusal(self, refused: Refused, media_type: str) -> Answer:
        self._counts.refused(refused.refusal)
        return status_answer(refused, media_type, "POST")


def _media_type(head: Head) -> str:
    return head.headers.get("content-type", "").partition(";")[0].strip().lower()


def _want_method(head: Head, *allowed: str) -> None:
    if head.method not in allowed:
        raise Refused(Refusal.METHOD_NOT_ALLOWED, f"seen {head.method} {head.path}, wanted {' or '.join(allowed)}")
