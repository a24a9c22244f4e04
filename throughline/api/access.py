"""Who may ask: tokens where they are configured; without them only this machine, and no page of a browser for it."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from enum import StrEnum
from hashlib import sha256
from ipaddress import ip_address
from typing import NamedTuple

from starlette.datastructures import Headers

from throughline.core.problem import Problem, ProblemKind

_LOCAL_NAMES = frozenset({"localhost", "localhost.localdomain"})


class Scope(StrEnum):
    """What a token allows."""

    READ = "read"
    WRITE = "write"


class Grant(NamedTuple):
    """What a token stands for: who holds it, and what it allows."""

    name: str
    scopes: frozenset[Scope]


class Principal(NamedTuple):
    """Who asks. ``name`` None: not known; a name that a request gives is then taken as given."""

    name: str | None

    @property
    def authenticated(self) -> bool:
        return self.name is not None


class Access:
    """Decides on each request, from its headers alone."""

    def __init__(self, tokens: Mapping[str, Grant]) -> None:
        self._grants = {_digest(token): grant for token, grant in tokens.items()}

    def check_origin(self, headers: Headers) -> None:
        """Raise Problem for a request that a foreign page made a browser send.

        Without tokens, the only guard of a door on loopback is that nobody else reaches it. A page can: by a name that
        it points here (the Host header gives that away), or by a plain cross-site request (the Origin header does).
        """
        if self._grants:
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

    def principal(self, authorization: str | None, wanted: Scope) -> Principal:
        """Return who asks; raises Problem where a token is needed and missing, unknown, or does not allow this."""
        if not self._grants:
            return Principal(None)
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Problem(ProblemKind.UNAUTHENTICATED, "seen no token, wanted the header Authorization: Bearer TOKEN")
        grant = self._grants.get(_digest(token.strip()))
        if grant is None:
            raise Problem(ProblemKind.UNAUTHENTICATED, "seen a token that is not known here")
        if wanted not in grant.scopes:
            raise Problem(ProblemKind.FORBIDDEN, f"the token of {grant.name} does not allow to {wanted}")
        return Principal(grant.name)


_PEPPER = secrets.token_bytes(16)


def _digest(token: str) -> bytes:
    """Return what tokens are looked up by, so that the time it takes tells nothing about them."""
    return sha256(_PEPPER + token.encode("utf-8", "surrogateescape")).digest()


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


def grants(tokens: Iterable[tuple[str, str, Iterable[str]]]) -> dict[str, Grant]:
    """Return grants by token, of (name, token, scopes); scopes that mean nothing here are left out."""
    known = {scope.value for scope in Scope}
    return {
        token: Grant(name, frozenset(Scope(scope) for scope in scopes if scope in known))
        for name, token, scopes in tokens
    }
