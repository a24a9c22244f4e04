"""Signing in: who shows a token, and how those are slowed down who show none that is known."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address
from typing import Final, NamedTuple

import structlog

from throughline.core.allowance import Allowance
from throughline.core.token import Keyring, Limit, Principal, SignInFault

PATIENCE: Final = Limit(rate=0.5, burst=20)  # failed sign-ins of one address: in a second on average, and at once
MOST_ADDRESSES: Final = 10_000
_NETWORK_BITS: Final = 64  # of IPv6, which one caller has to itself

_log = structlog.get_logger(__name__)


class Failed(NamedTuple):
    """A sign-in that failed; ``wait`` is None, or in how many seconds the next one from there is answered."""

    fault: SignInFault
    wait: int | None


class Patience:
    """Remembers how often sign-ins failed, by address, for at most so many addresses: the latest."""

    def __init__(self, limit: Limit = PATIENCE, most: int = MOST_ADDRESSES) -> None:
        self._limit = limit
        self._most = most
        self._of: OrderedDict[str, Allowance] = OrderedDict()

    def __len__(self) -> int:
        return len(self._of)

    def spend(self, address: str, now: float) -> int | None:
        """Note a failure; return None, or the whole seconds to wait where there were too many."""
        caller = _caller(address)
        left = self._of.get(caller)
        if left is None:
            left = self._of[caller] = Allowance(self._limit, now)
            if len(self._of) > self._most:
                self._of.popitem(last=False)
        self._of.move_to_end(caller)
        seconds = left.wait(now)
        if seconds:
            return math.ceil(seconds)
        left.charge(1)
        return None


def _caller(address: str) -> str:
    """Return what stands for a caller: its address, of IPv6 the network that it can choose from."""
    try:
        known = ip_address(address)
    except ValueError:
        return address
    return str(int(known) >> _NETWORK_BITS) if isinstance(known, IPv6Address) else address


class SignIns:
    """Says who somebody is. A known token is never slowed down, whatever else comes from its address."""

    def __init__(
        self,
        ring: Callable[[], Keyring] | None,
        now: Callable[[], int],
        monotonic: Callable[[], float] = time.monotonic,
        patience: Patience | None = None,
    ) -> None:
        """``ring`` gives the tokens in force; None: there are none, and nobody needs one."""
        self._ring = ring
        self._now = now
        self._monotonic = monotonic
        self._patience = patience or Patience()
        self.in_force = ring is not None

    def who(self, authorization: str, address: str, door: str) -> Principal | Failed:
        """Return who shows a token; only where tokens are in force."""
        assert self._ring is not None
        found = self._ring().find(authorization, self._now())
        return found if isinstance(found, Principal) else self.failed(found, address, door)

    def failed(self, fault: SignInFault, address: str, door: str) -> Failed:
        """Note a sign-in that failed, and say whether its address has to wait."""
        wait = self._patience.spend(address, self._monotonic())
        if wait is None:  # who goes on is counted, but fills no log
            _log.info("sign_in_failed", door=door, address=address, reason=fault.value)
        return Failed(fault, wait)
