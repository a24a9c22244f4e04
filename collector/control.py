"""The collector's own door for the other parts of its serve, beside the senders' one and behind a secret."""

from __future__ import annotations

import hmac

import msgspec

from collector.http_answers import JSON, problem_answer
from collector.http_types import Answer, Application, Head, Request
from collector.reading import Refusal, Refused
from collector.replay import MOST_ENTRIES, Replayer
from throughline.core.control import REPLAY_PATH, ReplayOrder


class ControlDoor:
    """Takes orders from whoever shows the secret of this serve; all else goes to the door for senders.

    Without the secret the path is not there, so that it says nothing to senders.
    """

    def __init__(self, inner: Application, replayer: Replayer, secret: str) -> None:
        """``secret`` empty: nobody may give orders."""
        self._inner = inner
        self._replayer = replayer
        self._secret = secret

    def admit(self, head: Head) -> Answer | None:
        if not self._is_order(head):
            return self._inner.admit(head)
        if head.method != "POST":
            return _refusal(Refused(Refusal.METHOD_NOT_ALLOWED, f"seen {head.method}, wanted POST"))
        return None

    async def answer(self, request: Request) -> Answer:
        if not self._is_order(request.head):
            return await self._inner.answer(request)
        try:
            told = await self._replayer.replay(*_order(request.body))
        except Refused as refused:
            return _refusal(refused)
        return Answer(200, JSON, msgspec.json.encode(told))

    def refuse(self, path: str, refused: Refused) -> Answer:
        return self._inner.refuse(path, refused)

    def _is_order(self, head: Head) -> bool:
        if head.path != REPLAY_PATH or not self._secret:
            return False
        shown = head.headers.get("authorization", "").partition(" ")[2]
        return hmac.compare_digest(shown.encode("utf-8", "surrogatepass"), self._secret.encode())


def _order(body: bytes) -> tuple[tuple[int, ...], str]:
    try:
        order = msgspec.json.decode(body, type=ReplayOrder)
    except msgspec.MsgspecError as error:
        raise Refused(Refusal.MALFORMED, f"the order can't be read: {error}") from None
    if len(order.entries) > MOST_ENTRIES:
        raise Refused(Refusal.TOO_LARGE, f"seen {len(order.entries)} entries, wanted at most {MOST_ENTRIES}")
    return order.entries, order.by


def _refusal(refused: Refused) -> Answer:
    return problem_answer(refused, "POST")
