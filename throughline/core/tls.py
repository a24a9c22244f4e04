"""TLS of the doors: a certificate with its key, and how our own commands and parts trust it."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

from throughline.core.errors import ConfigurationError, Fault

_CERTIFICATE: Final = b"-----BEGIN CERTIFICATE-----"
_KEY_ENDS: Final = b"PRIVATE KEY-----"
_LOCKED: Final = (b"ENCRYPTED PRIVATE KEY", b"Proc-Type: 4,ENCRYPTED")


class Certificate(NamedTuple):
    """A certificate with its chain and key (PEM), and the context that shows it."""

    chain: bytes
    key: bytes
    context: ssl.SSLContext

    def __repr__(self) -> str:
        return "Certificate(…)"


def load_certificate(chain: Path, key: Path) -> Certificate:
    """Read a certificate and its key; raises ConfigurationError with the faults of both."""
    faults: list[Fault] = []
    chain_bytes = _content(chain, "tls_certificate", "a certificate in PEM, with its chain", faults)
    key_bytes = _content(key, "tls_key", "its private key in PEM", faults)
    if chain_bytes and _CERTIFICATE not in chain_bytes:
        faults.append(_fault(chain, "tls_certificate", "no certificate in PEM", "-----BEGIN CERTIFICATE-----"))
    if key_bytes and _KEY_ENDS not in key_bytes:
        faults.append(_fault(key, "tls_key", "no private key in PEM", "-----BEGIN PRIVATE KEY-----"))
    if any(mark in key_bytes for mark in _LOCKED):
        faults.append(_fault(key, "tls_key", "a key with a passphrase", "one without, which only its owner may read"))
    if faults:
        raise ConfigurationError(faults)
    return Certificate(chain_bytes, key_bytes, _context(chain, key))


def _content(path: Path, name: str, wanted: str, faults: list[Fault]) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        faults.append(_fault(path, name, error.strerror or str(error), wanted))
        return b""
    if not content.strip():
        faults.append(_fault(path, name, "an empty file", wanted))
        return b""
    return content


def _context(chain: Path, key: Path) -> ssl.SSLContext:
    context = _server_context()
    try:
        context.load_cert_chain(chain, key, password="")  # or OpenSSL would ask for one at the terminal
    except OSError as error:  # errors of TLS are some
        reason = getattr(error, "reason", None) or "cannot be read"
        seen = f"no pair with {chain} ({str(reason).lower().replace('_', ' ')})"
        raise ConfigurationError([_fault(key, "tls_key", seen, "the key of that certificate")]) from None
    return context


def _server_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


def _fault(path: Path, name: str, seen: str, wanted: str) -> Fault:
    return Fault(str(path), None, name, seen, wanted)


def door_context(certificate: Callable[[], Certificate]) -> ssl.SSLContext:
    """Return the context of a door, which shows each caller the certificate that is in force then."""

    def show(connection: ssl.SSLObject | ssl.SSLSocket, *_: Any) -> None:
        connection.context = certificate().context

    door = _server_context()
    door.sni_callback = show  # called for each connection, also where the caller names no server
    return door


def pinned(*chains: bytes) -> ssl.SSLContext:
    """Return the context of a caller that trusts these very certificates, under whatever name they answer.

    For callers on the same machine that read the file which the door shows.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # a certificate of the file may have been signed elsewhere
    for chain in chains:
        with contextlib.suppress(ssl.SSLError, ValueError):  # no certificate is in there: it is not trusted
            context.load_verify_locations(cadata=chain.decode("ascii", "replace"))
    return context


def trusting(authorities: Path | None) -> ssl.SSLContext:
    """Return the context of a caller that trusts the authorities of a file, None: those of the system.

    Raises ConfigurationError where the file cannot be used.
    """
    try:
        return ssl.create_default_context(cafile=authorities)
    except OSError as error:  # errors of TLS are some
        reason = "it holds none" if isinstance(error, ssl.SSLError) else error.strerror
        wanted = "a file of certificates in PEM"
        raise ConfigurationError([Fault(str(authorities), None, "", f"no certificates ({reason})", wanted)]) from None
