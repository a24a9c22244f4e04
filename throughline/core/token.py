"""Tokens: who a sender or a person is, and what they may do, proved by a secret of which only the digest is kept."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import Final, NamedTuple

from pydantic import SecretStr

PREFIX: Final = "tlt_"  # by which scanners for secrets, and masking, know one
_RANDOM_BYTES: Final = 32  # nobody guesses that many, so that a fast digest will do
ANY: Final = "*"  # ends a pattern of sources


class Kind(StrEnum):
    """What shows a token."""

    SENDER = "sender"  # a program
    PERSON = "person"  # who alone may change something


class Scope(StrEnum):
    """What a token is good for."""

    INGEST = "ingest"  # to send, at every door
    READ = "read"  # to ask the API
    WRITE = "write"  # to state, to replay: what changes something, in a person's name


class SignInFault(StrEnum):
    """Why somebody is not known; the same word stands in metrics and logs."""

    NO_TOKEN = "no_token"
    UNKNOWN_TOKEN = "unknown_token"
    EXPIRED_TOKEN = "expired_token"
    BAD_SIGNATURE = "bad_signature"  # of a webhook

    @property
    def sentence(self) -> str:
        return _SENTENCES[self]


_SENTENCES: Final = {
    SignInFault.NO_TOKEN: "seen no token, wanted the header Authorization: Bearer SECRET",
    SignInFault.UNKNOWN_TOKEN: "seen a token that is not known here, wanted one that `throughline tokens list` shows",
    SignInFault.EXPIRED_TOKEN: "seen a token that has expired, wanted a new one: `throughline tokens new`",
    SignInFault.BAD_SIGNATURE: "seen no signature of this body with the secret known here",
}


class Limit(NamedTuple):
    """How much one sender may send: records a second on average, and as many at once as ``burst``."""

    rate: float
    burst: float


@dataclass(frozen=True, slots=True)
class Principal:
    """Who shows a token; ``name`` is what journal, statements and logs call them.

    ``sources`` and ``mappings`` empty: any. A source that ends in ``*`` stands for all that begin so.
    """

    name: str
    kind: Kind
    scopes: frozenset[Scope]
    sources: tuple[str, ...] = ()
    mappings: frozenset[str] = frozenset()
    limit: Limit | None = None
    _beginnings: tuple[str, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        beginnings = tuple(pattern[:-1] for pattern in self.sources if pattern.endswith(ANY))
        object.__setattr__(self, "_beginnings", beginnings)

    def may(self, scope: Scope) -> bool:
        return scope in self.scopes

    def may_speak_for(self, source: str) -> bool:
        return not self.sources or source.startswith(self._beginnings) or source in self.sources

    def may_use(self, mapping: str) -> bool:
        return not self.mappings or mapping in self.mappings


class Held(NamedTuple):
    """Whose a secret is, and from when on it is nobody's (microseconds since the epoch)."""

    principal: Principal
    expires: int | None


class Keyring:
    """All tokens in force, by the digest of their secret.

    A secret is looked up by its digest: who does not have it cannot learn from the time that this takes. What a known
    one was shown as is remembered, so that the next request need not be digested.
    """

    def __init__(self, held: Mapping[bytes, Held]) -> None:
        self._held = dict(held)
        self._met: dict[str, Held] = {}
        self._most_met = 2 * len(self._held)  # a header can be written in more than one way

    def find(self, authorization: str, now: int) -> Principal | SignInFault:
        """Return who shows a token in the value of a header ``Authorization``, or why that is not known."""
        held = self._met.get(authorization) or self._look_up(authorization)
        if isinstance(held, SignInFault):
            return held
        if held.expires is not None and held.expires <= now:
            return SignInFault.EXPIRED_TOKEN
        return held.principal

    def _look_up(self, authorization: str) -> Held | SignInFault:
        scheme, _, secret = authorization.partition(" ")
        secret = secret.strip()
        if scheme.lower() != "bearer" or not secret:
            return SignInFault.NO_TOKEN
        held = self._held.get(digest_of(secret))
        if held is None:
            return SignInFault.UNKNOWN_TOKEN
        if len(self._met) < self._most_met:
            self._met[authorization] = held
        return held


def new_secret() -> SecretStr:
    """Return a secret that nobody knows yet."""
    return SecretStr(PREFIX + secrets.token_urlsafe(_RANDOM_BYTES))


def digest_of(secret: str) -> bytes:
    """Return what is kept of a secret: its SHA-256 digest."""
    return sha256(secret.encode("utf-8", "surrogatepass")).digest()
