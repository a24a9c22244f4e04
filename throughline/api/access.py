"""Who may ask: tokens where they are configured; without them only this machine, and no page of a browser for it."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address
from typing import NamedTuple

from starlette.datastructures import Headers

from throughline.core.problem import Problem, ProblemKind
from throughline.core.token import Token, bearer_of

_LOCAL_NAMES = frozenset({"localhost", "localhost.localdomain"})


class Principal(NamedTuple):
    """Who asks. ``name`` None: not known; a name that a request gives is then taken as given."""

    name: str | None

    @property
    def authenticated(self) -> bool:
        return self.name is not None


class Access:
    """Decides on each request, from its headers alone."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tuple(tokens)

    def check_origin(self, headers: Headers) -> None:
        """Raise Problem for a request that a foreign page made a browser send.

        Without tokens, the only guard of a door on loopback is that nobody else reaches it. A page can: by a name that
        it points here (the Host header gives that away), or by a plain cross-site request (the Origin header does).
        """
        if self._tokens:
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

    def principal(self, authorization: str | None) -> Principal:
        """Return who asks; raises Problem where a token is needed and none that is known was shown."""
        if not self._tokens:
            return Principal(None)
        scheme, _, secret = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not secret.strip():
            raise Problem(ProblemKind.UNAUTHENTICATED, "seen no token, wanted the header Authorization: Bearer SECRET")
        name = bearer_of(self._tokens, secret.strip())
        if name is None:
            raise Problem(ProblemKind.UNAUTHENTICATED, "seen a token that is not known here")
        return Principal(name)


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
