"""The URL of a PostgreSQL database that holds the store; a password in it is never shown."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import SplitResult, parse_qsl, urlsplit

_SCHEMES = ("postgresql+psycopg", "postgresql", "postgres")
WANTED_URL = "the URL of a PostgreSQL database, such as postgresql+psycopg://USER@HOST:5432/DATABASE"
_LONE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_HIDDEN = "(hidden)"
_SECRETS = frozenset(
    {
        *("password", "sslpassword", "passfile", "sslkey"),
        *("scram_client_key", "scram_server_key", "oauth_client_secret"),
    }
)
_PRIMARY = "target_session_attrs"


@dataclass(frozen=True, slots=True)
class StoreUrl:
    """Which database; ``libpq`` is what the driver takes, secrets included, and a text of it hides them."""

    libpq: str = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> StoreUrl:
        """Raise ValueError, whose text shows nothing of the URL but its scheme, for one that cannot be used."""
        scheme, found, rest = text.strip().partition("://")
        if not found or scheme not in _SCHEMES:
            seen = f"seen {scheme[:32]!r} as its scheme, " if found else ""
            raise ValueError(f"{seen}wanted {WANTED_URL}")
        url = cls(f"postgresql://{rest}")
        try:
            parts = urlsplit(url.libpq)
            hosts = parts.netloc.rpartition("@")[2].split(",")
            _ = [urlsplit(f"//{host}").port for host in hosts]
        except ValueError:
            raise ValueError(f"seen a port or host that is none, wanted {WANTED_URL}") from None
        if parts.netloc.count("@") > 1 or "@" in parts.path or parts.fragment:
            raise ValueError(
                "seen a URL that cannot be split, wanted @, /, ? and # in a password written as %40 and so on"
            )
        if _LONE_PERCENT.search(url.libpq):
            raise ValueError("seen a % that begins no code, wanted % itself written as %25")
        if not parts.path.strip("/"):
            raise ValueError(f"seen no database in it, wanted {WANTED_URL}")
        if len(hosts) > 1 and _PRIMARY not in dict(parse_qsl(parts.query)):
            # Of several, the one that takes writes: a standby would show what is not yet there as missing.
            return cls(f"{url.libpq}{'&' if parts.query else '?'}{_PRIMARY}=primary")
        return url

    def __str__(self) -> str:
        parts = urlsplit(self.libpq)
        user, at, host = parts.netloc.rpartition("@")
        name, colon, _ = user.partition(":")
        shown = f"{name}:{_HIDDEN}" if colon else name
        asked = [(key, _HIDDEN if key in _SECRETS else value) for key, value in parse_qsl(parts.query)]
        query = "&".join(f"{key}={value}" for key, value in asked)
        return SplitResult("postgresql+psycopg", shown + at + host, parts.path, query, "").geturl()


class Schema(NamedTuple):
    """A schema of a database; its name is one of ours, of letters, digits and underscores."""

    url: StoreUrl
    name: str

    def __str__(self) -> str:
        return f"{self.url}, schema {self.name}"
