"""Sending entries to a door of a running collector, again and again where it is too busy or just not there."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import HTTPSHandler, ProxyHandler, Request, build_opener

import msgspec

from throughline.core.errors import LastingError, PassingError
from throughline.core.event import HISTORY_HEADER

ANSWER_SECONDS = 60.0
MOST_TRIES = 60
FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 10.0
EVENTS_PATH = "/v1/events"
BATCH = "application/cloudevents-batch+json"
_TRUST = "if the door is yours, name the authority of its certificate with THROUGHLINE_CA_FILE=FILE"
_ABSENT = (OSError, http.client.HTTPException)


class DoorClosed(PassingError):
    """Nobody takes events there, for long enough to give up; the message says how to go on."""


class DoorRefused(LastingError):
    """The door refuses what is sent, and would refuse it again."""


class SetAside(msgspec.Struct, frozen=True):
    """Why one entry of a request was set aside."""

    index: int
    reason: str
    detail: str = ""


class Receipt(msgspec.Struct, frozen=True):
    """What a door says of a request that is on disk."""

    accepted: int = 0
    duplicates: int = 0
    set_aside: list[SetAside] = []
    position: str | None = None


class Door(NamedTuple):
    """Where to send, as what, and how to wait; ``wait`` takes seconds.

    ``history``: events may be older than what is kept. ``context`` says whom to trust for https.
    """

    url: str
    path: str
    content_type: str
    token: str | None
    wait: Callable[[float], None]
    history: bool = False
    context: ssl.SSLContext | None = None

    def send(self, bodies: Sequence[bytes]) -> Receipt:
        """Send entries as one request; return the receipt once they are on disk.

        Raises DoorRefused, and DoorClosed where the door stays busy or absent.
        """
        status, answer = self._post(b"[" + b",".join(bodies) + b"]")
        if status in (202, 422):
            return _receipt(answer, len(bodies), status)
        if status == 413 and len(bodies) > 1:
            middle = len(bodies) // 2
            return _joined(self.send(bodies[:middle]), self.send(bodies[middle:]), middle)
        if status == 413:
            return Receipt(set_aside=[SetAside(0, "too_large", _detail(answer))])
        hint = "; set THROUGHLINE_TOKEN to the secret of a token with the scope ingest" if status in (401, 403) else ""
        raise DoorRefused(f"the door {self.url}{self.path} answered {status}: {_detail(answer)}{hint}")

    def _post(self, body: bytes) -> tuple[int, bytes]:
        headers = {"Content-Type": self.content_type}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        if self.history:
            headers[HISTORY_HEADER] = "true"
        request = Request(self.url + self.path, body, headers, method="POST")
        tls = [] if self.context is None else [HTTPSHandler(context=self.context)]
        opened = build_opener(ProxyHandler({}), *tls).open  # the door is ours: no proxy between
        seconds, reason = FIRST_WAIT_SECONDS, ""
        for _ in range(MOST_TRIES):
            try:
                with opened(request, timeout=ANSWER_SECONDS) as answer:
                    return answer.status, answer.read()
            except HTTPError as error:
                with error:
                    if error.code not in (429, 503):
                        return error.code, error.read()
                    asked = _seconds(error.headers.get("Retry-After", ""))
                    reason = f"it answers {error.code}"
            except URLError as error:
                if isinstance(error.reason, ssl.SSLCertVerificationError):
                    raise DoorRefused(f"{self.url}: {error.reason}; {_TRUST}") from error
                asked, reason = None, str(error.reason)
            except _ABSENT as error:
                asked, reason = None, str(getattr(error, "reason", error))
            self.wait(seconds if asked is None else asked)
            seconds = min(seconds * 2, LONGEST_WAIT_SECONDS)
        raise DoorClosed(
            f"no collector takes events at {self.url} ({reason}): start one with `throughline serve`, or say where it "
            "is with --url http://HOST:PORT or --data DIR; the same command goes on where this one stopped"
        )


def mapping_path(mapping: str) -> str:
    """Return the path of a mapping's door."""
    return f"/v1/json/{quote(mapping, safe='')}"


def _seconds(text: str) -> float | None:
    return min(float(text), LONGEST_WAIT_SECONDS) if text.isascii() and text.isdigit() else None


def _receipt(answer: bytes, sent: int, status: int) -> Receipt:
    try:
        receipt = msgspec.json.decode(answer, type=Receipt)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise DoorRefused("what answers is no collector of Throughline: say where it is with --url") from error
    if status == 422 and len(receipt.set_aside) < sent:
        raise DoorRefused(f"the door answered 422: {_detail(answer)}")
    return receipt


def _joined(first: Receipt, second: Receipt, shift: int) -> Receipt:
    moved = [msgspec.structs.replace(each, index=each.index + shift) for each in second.set_aside]
    return Receipt(
        first.accepted + second.accepted,
        first.duplicates + second.duplicates,
        [*first.set_aside, *moved],
        second.position or first.position,
    )


def _detail(answer: bytes) -> str:
    try:
        document: Any = msgspec.json.decode(answer)
        return str(document.get("detail", ""))[:500]
    except (msgspec.DecodeError, AttributeError):
        return answer[:200].decode("utf-8", "replace")
