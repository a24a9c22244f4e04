"""The HTTP doors: CloudEvents and JSON with the collector's own health, and OTLP."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import unquote

import msgspec

from collector.admission import Admission, Permit
from collector.cloudevents import HEADER_PREFIX
from collector.counts import DoorCounts
from collector.http_answers import JSON, PROTOBUF, export_answer, problem_answer, receipt_answer, status_answer
from collector.http_types import Answer, Head, InHand, Request
from collector.inflate import inflate
from collector.intake import Incoming, Intake, asks_for_history
from collector.json_bodies import content_type_of, find_mapping, json_media_type
from collector.reading import Door, Refusal, Refused, Signal
from collector.signatures import Signatures
from throughline.core.mappings.folder import Mappings
from throughline.core.mappings.mapping import InputMapping
from throughline.core.metrics import Form, form_for

EVENTS_PATH: Final = "/v1/events"
JSON_PATH: Final = "/v1/json/"  # and the name of a mapping
HEALTH_PATH: Final = "/healthz"
READY_PATH: Final = "/readyz"
METRICS_PATH: Final = "/metrics"
_LOOK: Final = "GET, HEAD"

OTLP_PATHS: Final = {"/v1/traces": Signal.TRACES, "/v1/logs": Signal.LOGS, "/v1/metrics": Signal.METRICS}


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


class Webhooks:
    """Says whether a JSON body may come in under a mapping, and who sends it: signed, or as at the other doors."""

    def __init__(self, mappings: Mappings, signatures: Signatures, admission: Admission) -> None:
        self._mappings = mappings
        self._signatures = signatures
        self._admission = admission

    def admit(self, head: Head) -> None:
        """Raise Refused where a request may not come in whatever its body is."""
        mapping = self._mapping(head)
        if mapping.signature is None:
            self._admission.admit(Door.JSON, _authorization(head), head.peer, mapping.name)
            return
        try:
            self._signatures.given(mapping.signature, head.headers)
        except Refused as refused:
            raise self._admission.unsigned(refused, head.peer) from None

    def permit(self, request: Request) -> tuple[InputMapping, Permit]:
        """Return the mapping and who sends; raise Refused where the body as sent is not signed as the mapping wants."""
        head = request.head
        mapping = self._mapping(head)
        if mapping.signature is None:
            return mapping, self._admission.permit(Door.JSON, _authorization(head), head.peer, mapping.name)
        try:
            self._signatures.check(mapping, head.headers, request.body)
        except Refused as refused:
            raise self._admission.unsigned(refused, head.peer) from None
        return mapping, Permit(f"webhook {mapping.name}")

    def _mapping(self, head: Head) -> InputMapping:
        """Return the mapping that a request names. Which there are is told only to those who may send."""
        try:
            return find_mapping(self._mappings, unquote(head.path.removeprefix(JSON_PATH)))
        except Refused:
            self._admission.permit(Door.JSON, _authorization(head), head.peer)
            raise


class JsonDoor:
    """JSON of any form at ``/v1/json/MAPPING``."""

    def __init__(self, intake: Intake, webhooks: Webhooks, bodies: Bodies, counts: DoorCounts) -> None:
        self._intake = intake
        self._webhooks = webhooks
        self._bodies = bodies
        self._counts = counts

    def admit(self, head: Head) -> Answer | None:
        try:
            _want_method(head, "POST")
            self._webhooks.admit(head)
            json_media_type(head.headers.get("content-type", ""))
        except Refused as refused:
            return self.refuse(head.path, refused)
        return None

    async def answer(self, request: Request) -> Answer:
        self._counts.received(len(request.body))
        body = request.body
        try:
            mapping, permit = self._webhooks.permit(request)
            body = self._bodies.take(request)
            content_type, history = content_type_of(mapping.name), asks_for_history(request.head.headers)
            incoming = Incoming(Door.JSON, Signal.JSON, permit.sender, content_type, {}, body, history, permit.weigh)
            return receipt_answer(await self._intake.take(incoming))
        except Refused as refused:
            return self.refuse(request.head.path, refused)
        finally:
            self._bodies.give_back(request, body)

    def refuse(self, path: str, refused: Refused) -> Answer:
        self._counts.refused(refused.refusal)
        return problem_answer(refused, "POST")


class EventsDoor:
    """CloudEvents at ``/v1/events``, JSON by mappings, and the collector's own health, readiness and metrics."""

    def __init__(
        self,
        intake: Intake,
        admission: Admission,
        bodies: Bodies,
        counts: DoorCounts,
        reasons: Callable[[], list[str]],
        warnings: Callable[[], list[str]],
        expose: Callable[[Form], str],
        json: JsonDoor,
    ) -> None:
        """``reasons`` says why the collector isn't ready, ``warnings`` what to mend although it is.

        ``expose`` gives its metrics as text.
        """
        self._intake = intake
        self._admission = admission
        self._bodies = bodies
        self._counts = counts
        self._reasons = reasons
        self._warnings = warnings
        self._expose = expose
        self._json = json

    def admit(self, head: Head) -> Answer | None:
        if head.path.startswith(JSON_PATH):
            return self._json.admit(head)
        try:
            if head.path == EVENTS_PATH:
                asked = asking_leave(head)
                if asked is None:
                    _want_method(head, "POST")
                self._admission.admit(Door.CLOUDEVENTS, _authorization(head), head.peer)
                if asked is not None:
                    return leave_answer(asked)
            elif head.path in (HEALTH_PATH, READY_PATH, METRICS_PATH):
                _want_method(head, "GET", "HEAD")
                if head.path == METRICS_PATH:
                    self._admission.look(_authorization(head), head.peer)
            else:
                raise Refused(Refusal.NOT_FOUND, f"events are taken at {EVENTS_PATH}, other JSON at {JSON_PATH}MAPPING")
        except Refused as refused:
            return self.refuse(head.path, refused)
        return None

    async def answer(self, request: Request) -> Answer:
        head = request.head
        if head.path.startswith(JSON_PATH):
            return await self._json.answer(request)
        if head.path != EVENTS_PATH:
            return self._look(head)
        self._counts.received(len(request.body))
        body = request.body
        try:
            permit = self._admission.permit(Door.CLOUDEVENTS, _authorization(head), head.peer)
            body = self._bodies.take(request)
            headers = {name: value for name, value in head.headers.items() if name.startswith(HEADER_PREFIX)}
            content_type = head.headers.get("content-type", "")
            history = asks_for_history(head.headers)
            incoming = Incoming(
                Door.CLOUDEVENTS, Signal.EVENTS, permit.sender, content_type, headers, body, history, permit.weigh
            )
            return receipt_answer(await self._intake.take(incoming))
        except Refused as refused:
            return self.refuse(head.path, refused)
        finally:
            self._bodies.give_back(request, body)

    def refuse(self, path: str, refused: Refused) -> Answer:
        if path.startswith(JSON_PATH):
            return self._json.refuse(path, refused)
        self._counts.refused(refused.refusal)
        return problem_answer(refused, "POST" if path == EVENTS_PATH else _LOOK)

    def _look(self, head: Head) -> Answer:
        path = head.path
        if path == METRICS_PATH:
            form = form_for(head.headers.get("accept", ""))
            return Answer(200, form.value, self._expose(form).encode())
        reasons = self._reasons() if path == READY_PATH else []
        document: dict[str, object] = {"alive": True}
        if path == READY_PATH:
            document = {"ready": not reasons, "reasons": reasons, "warnings": self._warnings()}
        return Answer(503 if reasons else 200, JSON, msgspec.json.encode(document))


class OtlpHttpDoor:
    """OTLP over HTTP, protobuf or JSON, at ``/v1/traces``, ``/v1/logs`` and ``/v1/metrics``."""

    def __init__(self, intake: Intake, admission: Admission, bodies: Bodies, counts: DoorCounts) -> None:
        self._intake = intake
        self._admission = admission
        self._bodies = bodies
        self._counts = counts

    def admit(self, head: Head) -> Answer | None:
        media_type = _media_type(head)
        try:
            if head.path not in OTLP_PATHS:
                raise Refused(Refusal.NOT_FOUND, f"OTLP is taken at {', '.join(OTLP_PATHS)}")
            _want_method(head, "POST")
            self._admission.admit(Door.OTLP_HTTP, _authorization(head), head.peer)
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
            permit = self._admission.permit(Door.OTLP_HTTP, _authorization(head), head.peer)
            body = self._bodies.take(request)
            incoming = Incoming(Door.OTLP_HTTP, signal, permit.sender, media_type, {}, body, weigh=permit.weigh)
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


def asking_leave(head: Head) -> str | None:
    """Return who asks whether events may be sent here, before it sends some; None of another request.

    As CloudEvents has it against senders that were told to push where nobody wants them:
    https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/http-webhook.md#4-abuse-protection
    """
    origin = head.headers.get(_ORIGIN) if head.method == "OPTIONS" else None
    if origin is not None and not _HOST.fullmatch(origin):
        raise Refused(Refusal.MALFORMED, f"seen no name of a host in {_ORIGIN}")
    return origin


def leave_answer(origin: str) -> Answer:
    """Return the leave for a sender to send as much as it likes."""
    headers = (("allow", "POST"), ("webhook-allowed-origin", origin), ("webhook-allowed-rate", "*"))
    return Answer(200, JSON, b"{}", headers)


_ORIGIN: Final = "webhook-request-origin"
_HOST: Final = re.compile(r"[A-Za-z0-9*_-]{1,63}(\.[A-Za-z0-9_-]{1,63}){0,9}(:[0-9]{1,5})?")


def _authorization(head: Head) -> str:
    return head.headers.get("authorization", "")


def _media_type(head: Head) -> str:
    return head.headers.get("content-type", "").partition(";")[0].strip().lower()


def _want_method(head: Head, *allowed: str) -> None:
    if head.method not in allowed:
        raise Refused(Refusal.METHOD_NOT_ALLOWED, f"seen {head.method} {head.path}, wanted {' or '.join(allowed)}")
