"""Addresses: where a door listens."""

from __future__ import annotations

import ipaddress
from typing import NamedTuple, Self

MAX_PORT = 65_535


class Address(NamedTuple):
    """Where a door listens; port 0 takes a free one. ``str()`` gives HOST:PORT, with brackets around an IPv6 host."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read HOST:PORT or [IPV6]:PORT; raises ValueError with what was seen and wanted."""
        host, _, port = text.rpartition(":")
        bracketed = host.startswith("[") and host.endswith("]")
        host = host[1:-1] if bracketed else host
        known_port = port.isascii() and port.isdigit() and len(port) <= len(str(MAX_PORT)) and int(port) <= MAX_PORT
        if not host or not known_port or (":" in host) != bracketed or any(mark in host for mark in "[]/@ "):
            raise ValueError(f"seen {text[:64]!r}, wanted HOST:PORT, such as 127.0.0.1:8080; port 0 takes a free one")
        return cls(host, int(port))

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the address; a name other than localhost is taken as reachable."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host.lower() == "localhost"

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
