"""Tokens: who a sender or a person is, proved by a secret that cannot be printed."""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable
from typing import NamedTuple

from pydantic import SecretStr

MIN_SECRET = 16

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}", re.ASCII)
_SECRET = re.compile(r"[!-~]+", re.ASCII)


class Token(NamedTuple):
    """The secret of one sender or person; ``name`` is what journal, statements and logs call them."""

    name: str
    secret: SecretStr


def parse_token(text: str) -> Token:
    """Read NAME:SECRET; raises ValueError without saying what was seen, which may be a secret."""
    name, colon, secret = text.strip().partition(":")
    secret = secret.strip()
    if not colon or not _NAME.fullmatch(name):
        raise ValueError("seen no NAME before a colon, wanted NAME:SECRET, such as psa-sync:SECRET")
    if len(secret) < MIN_SECRET or not _SECRET.fullmatch(secret):
        wanted = f"at least {MIN_SECRET} printable characters without blanks"
        raise ValueError(f"seen a secret of {len(secret)} characters for {name}, wanted {wanted}")
    return Token(name, SecretStr(secret))


def parse_tokens(text: str) -> tuple[Token, ...]:
    """Read tokens, one a line or separated by commas; empty lines and lines that start with # say nothing.

    Raises ValueError for the first that is none, and for a name given twice.
    """
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    entries = [entry for line in lines for entry in line.split(",") if entry.strip()]
    tokens = tuple(parse_token(entry) for entry in entries)
    names = [token.name for token in tokens]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"seen the name {name} twice, wanted each name once")
    return tokens


def bearer_of(tokens: Iterable[Token], presented: str) -> str | None:
    """Return the name whose secret was presented, None where nobody's was.

    Takes the same time whichever token matches, so that timing tells nothing.
    """
    secret = presented.encode("utf-8", "surrogatepass")
    found: str | None = None
    for token in tokens:
        if hmac.compare_digest(token.secret.get_secret_value().encode(), secret):
            found = token.name
    return found
