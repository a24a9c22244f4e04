"""Who may ask: tokens where they are in force; without them only this machine, and no page of a browser for it."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from typing import NamedTuple

from starlette.datastructures import Headers
from starlette.requests import Request

from throughline.core.problem import Problem, ProblemKind
from throughline.core.sign_in import Failed, SignIns
from throughline.core.token import Kind, Principal, Scope, SignInFault

DOOR = "api"
ASKER = "throughline.asker"  # where the guard leaves who asks, for the routes
_LOCAL_NAMES = frozenset({"localhost", "localhost.localdomain"})
_ASKING = frozenset({"GET", "HEAD", "OPTIONS"})


class Asker(NamedTuple):
    """Who asks. ``name`` None: not known; a name that a request gives is then taken as given."""

    name: str | None

    @property
    def authenticated(self) -> bool:
        return self.name is not None


def asker_of(request: Request) -> Asker:
    """Return who makes a request that was let in."""
    return request.scope[ASKER]


def _uncounted(_: SignInFault) -> None:
    pass


class Access:
    """Decides on each request, from its method and headers alone."""

    def __init__(self, sign_ins: SignIns, count: Callable[[SignInFault], None] = _uncounted) -> None:
        """``count`` is told of each sign-in that failed."""
        self._sign_ins = sign_ins
        self._count = count

    def check_origin(self, headers: Headers) -> None:
        """Raise Problem for a request that a foreign page made a browser send.

        Without tokens, the only guard of a door on loopback is that nobody else reaches it. A page can: by a name that
        it points here (the Host header gives that away), or by a plain cross-site request (the Origin header does).
        """
        if self._sign_ins.in_force:
            return
        host = _host_name(headers.get("host", ""))
        if not _is_local(host):
            raise Problem(
                ProblemKind.MISDIRECTED,
                f"seen the host {host[:64]!r}, wanted localhost or an IP address of this machine; "
                "to serve other names configure tokens",
            )
        origin = headers.get("origin")
        if origin is not None and not _is_local(_host_name(origin.partition("://")[2])):
            raise Problem(ProblemKind.FORBIDDEN, f"seen a request of the page {origin[:64]!r}, wanted none of a page")

    def let_in(self, method: str, authorization: str, address: str) -> Asker:
        """Return who asks; raises Problem where tokens are in force and theirs is not good for what they ask.

        What changes something is a person's to do, in their own name.
        """
        if not self._sign_ins.in_force:
            return Asker(None)
        principal = self._known(authorization, address)
        wanted = Scope.READ if method in _ASKING else Scope.WRITE
        if not principal.may(wanted):
            held = ", ".join(sorted(principal.scopes))
            detail = f"the token of {principal.name} has the scope {held}, wanted {wanted}"
            raise Problem(ProblemKind.FORBIDDEN, detail, scope=wanted.value)
        if wanted is Scope.WRITE and principal.kind is not Kind.PERSON:
            raise Problem(ProblemKind.FORBIDDEN, f"the token of {principal.name} is a program's, wanted a person's")
        return Asker(principal.name)

    def _known(self, authorization: str, address: str) -> Principal:
        found = self._sign_ins.who(authorization, address, DOOR)
        if not isinstance(found, Failed):
            return found
        self._count(found.fault)
        if found.wait is None:
            raise Problem(ProblemKind.UNAUTHENTICATED, found.fault.sentence)
        detail = f"too many sign-ins from this address failed; the last: {found.fault.sentence}"
        raise Problem(ProblemKind.TOO_MANY, detail, retry_after=found.wait)


def _host_name(authority: str) -> str:
    """Return the host of HOST:PORT, without brackets."""
    if authority.startswith("["):
        return authority[1:].partition("]")[0]
    return authority.partition(":")[0]


def _is_local(host: str) -> bool:
    """Tell whether a host is an address, or a name that always means this machine; no other name is trusted."""
    if host.lower() in _LOCAL_NAMES:
        return True
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
