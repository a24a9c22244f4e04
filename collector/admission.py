"""Admission: who sends, whether they may, and how much for now; decided from the head of a request alone."""

from __future__ import annotations

import hmac
import math
import time
from collections.abc import Callable
from typing import Final, NamedTuple

from collector.counts import Counts
from collector.reading import Door, Reading, Refusal, Refused
from throughline.core.allowance import Allowance
from throughline.core.sign_in import Failed, SignIns
from throughline.core.token import Principal, Scope, SignInFault

LONGEST_WAIT: Final = 60  # seconds that a sender is told to stay away at once


class Permit(NamedTuple):
    """What one request may bring; without a principal anything."""

    sender: str
    principal: Principal | None = None
    allowance: Allowance | None = None

    def weigh(self, reading: Reading) -> None:
        """Charge what a request brought, beyond the request itself.

        Raises Refused where an event is of a source that its sender may not speak for: then nothing of it is taken.
        """
        if self.allowance is not None:
            self.allowance.charge(max(0, _records(reading) - 1))
        principal = self.principal
        if principal is None or not principal.sources:
            return
        known = None  # events of one request are mostly of one source
        for each in (*reading.events, *reading.rejected):
            source = each.source
            if source is None or source == known:
                continue
            if not principal.may_speak_for(source):
                seen = f"seen an event of the source {source[:200]!r}, which {principal.name} may not send"
                raise Refused(Refusal.FORBIDDEN, f"{seen}; wanted {', '.join(principal.sources)}")
            known = source


class Admission:
    """Lets requests in at all doors of a collector."""

    def __init__(
        self,
        sign_ins: SignIns,
        counts: Counts,
        control: str = "",
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """``control`` is the secret of the other parts of this serve."""
        self._sign_ins = sign_ins
        self._counts = counts
        self._control = control.encode()
        self._monotonic = monotonic
        self._allowances: dict[str, Allowance] = {}  # by name: a sender's limit stays its own with another secret

    def admit(self, door: Door, authorization: str, peer: str, mapping: str | None = None) -> Permit:
        """Return what a request may bring, and charge it; raises Refused where it may not come in, or not now."""
        permit = self.permit(door, authorization, peer, mapping)
        if permit.allowance is not None:
            wait = permit.allowance.wait(self._monotonic())
            if wait:
                rate = permit.allowance.limit.rate
                sentence = f"{permit.sender} sends more than the {rate:g} records a second of its token"
                raise Refused(Refusal.RATE_LIMITED, sentence, min(math.ceil(wait), LONGEST_WAIT))
            permit.allowance.charge(1)
        return permit

    def permit(self, door: Door, authorization: str, peer: str, mapping: str | None = None) -> Permit:
        """Return what a request may bring that was admitted, now that it is whole; raises Refused as ``admit``."""
        if not self._sign_ins.in_force:
            return Permit(peer)
        principal = self._known(door, authorization, peer)
        if not principal.may(Scope.INGEST):
            raise _out_of_scope(principal, Scope.INGEST)
        if mapping is not None and not principal.may_use(mapping):
            allowed = ", ".join(sorted(principal.mappings))
            sentence = f"seen the mapping {mapping}, under which the token of {principal.name} may not send"
            raise Refused(Refusal.FORBIDDEN, f"{sentence}; wanted {allowed}")
        return Permit(principal.name, principal, self._allowance(principal))

    def look(self, authorization: str, peer: str) -> None:
        """Raise Refused where somebody may not see the metrics; the other parts of this serve may."""
        if not self._sign_ins.in_force or self._is_ours(authorization):
            return
        principal = self._known(Door.CLOUDEVENTS, authorization, peer)
        if not principal.may(Scope.READ):
            raise _out_of_scope(principal, Scope.READ)

    def unsigned(self, refused: Refused, peer: str) -> Refused:
        """Note that a webhook was not signed as wanted; return what to refuse it with."""
        return self._refusal(Door.JSON, self._sign_ins.failed(SignInFault.BAD_SIGNATURE, peer, Door.JSON), refused)

    def _known(self, door: Door, authorization: str, peer: str) -> Principal:
        found = self._sign_ins.who(authorization, peer, door)
        if isinstance(found, Failed):
            raise self._refusal(door, found, Refused(Refusal.UNAUTHENTICATED, found.fault.sentence))
        return found

    def _refusal(self, door: Door, failed: Failed, refused: Refused) -> Refused:
        self._counts.door(door).sign_in_failed(failed.fault)
        if failed.wait is None:
            return refused
        sentence = f"too many sign-ins from this address failed; the last: {refused.sentence}"
        return Refused(Refusal.FAILED_TOO_OFTEN, sentence, failed.wait)

    def _allowance(self, principal: Principal) -> Allowance | None:
        limit = principal.limit
        if limit is None:
            return None
        held = self._allowances.get(principal.name)
        if held is None or held.limit != limit:
            held = self._allowances[principal.name] = Allowance(limit, self._monotonic())
        return held

    def _is_ours(self, authorization: str) -> bool:
        shown = authorization.partition(" ")[2].encode("utf-8", "surrogatepass")
        return bool(self._control) and hmac.compare_digest(shown, self._control)


def _out_of_scope(principal: Principal, wanted: Scope) -> Refused:
    held = ", ".join(sorted(principal.scopes))
    return Refused(Refusal.FORBIDDEN, f"the token of {principal.name} has the scope {held}, wanted {wanted}")


def _records(reading: Reading) -> int:
    """Count what a request brought, whether it could be taken or not."""
    return (
        len(reading.events)
        + len(reading.spans)
        + len(reading.logs)
        + len(reading.rejected)
        + reading.invalid_spans
        + reading.metric_points
    )
