"""Certificates for tests, made by openssl; each signs itself."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import NamedTuple

_MADE = ("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
_NAMES = "subjectAltName=DNS:localhost,IP:127.0.0.1"


class Pair(NamedTuple):
    """A certificate and its key."""

    certificate: Path
    key: Path

    @property
    def settings(self) -> dict[str, str]:
        return {"tls_certificate": str(self.certificate), "tls_key": str(self.key)}

    def put_in_place_of(self, other: Pair) -> None:
        """Write this pair into the files of another one."""
        other.certificate.write_bytes(self.certificate.read_bytes())
        other.key.write_bytes(self.key.read_bytes())


def make_pair(folder: Path, name: str) -> Pair:
    """Make a certificate for this machine."""
    pair = Pair(folder / f"{name}.pem", folder / f"{name}.key")
    names = ("-keyout", str(pair.key), "-out", str(pair.certificate), "-subj", f"/CN={name}", "-addext", _NAMES)
    subprocess.run([*_MADE, *names], check=True, capture_output=True, timeout=60)
    return pair
