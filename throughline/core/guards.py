"""What guards the doors of one process: tokens and TLS, read again when their files change."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from typing import Any, NamedTuple

from throughline.core.clock import RealClock
from throughline.core.errors import ConfigurationError, Fault
from throughline.core.settings import Settings
from throughline.core.sign_in import SignIns
from throughline.core.tls import Certificate, door_context, load_certificate
from throughline.core.token import Keyring
from throughline.core.tokens_file import keyring_of, load_tokens
from throughline.core.watched import Looking, Watched


class Guards(NamedTuple):
    """``certificate`` None: the doors speak without TLS."""

    sign_ins: SignIns
    certificate: Watched[Certificate] | None
    watched: tuple[Watched[Any], ...]

    def shown(self) -> Callable[[], Certificate] | None:
        """Return what gives the certificate in force; None: without TLS."""
        certificate = self.certificate
        return None if certificate is None else (lambda: certificate.held)

    def chains(self) -> Callable[[], tuple[bytes, ...]] | None:
        """Return what gives the certificates that another process with the same files may show just now.

        Where they have changed the one takes them into force a moment before the other. None: without TLS.
        """
        certificate = self.certificate
        return None if certificate is None else (lambda: (certificate.held.chain, certificate.content_now(0)))

    def context(self) -> ssl.SSLContext | None:
        """Return the context of a door; None: without TLS."""
        shown = self.shown()
        return None if shown is None else door_context(shown)

    def warnings(self) -> list[str]:
        """Return what is wrong with the files as they stand, in sentences that anybody may read."""
        return [warning for each in self.watched if (warning := each.warning()) is not None]

    def faults(self) -> int:
        return sum(len(each.faults) for each in self.watched)


NO_GUARDS = Guards(SignIns(None, RealClock().now), None, ())


@contextmanager
def open_guards(settings: Settings, now: Callable[[], int] | None = None) -> Generator[Guards]:
    """Read the files, and look for changes while the context is open; raises ConfigurationError with every fault.

    ``now`` is the time by which tokens expire: the real one, whatever clock receipts go by.
    """
    tokens, certificate = read_guards(settings)
    watched = tuple(each for each in (tokens, certificate) if each is not None)
    ring = None if tokens is None else (lambda: tokens.held)
    with closing(Looking([each.look for each in watched])):
        yield Guards(SignIns(ring, now or RealClock().now), certificate, watched)


def read_guards(settings: Settings) -> tuple[Watched[Keyring] | None, Watched[Certificate] | None]:
    """Read the files that settings name; raises ConfigurationError with the faults of all of them."""
    faults: list[Fault] = []
    tokens: Watched[Keyring] | None = None
    certificate: Watched[Certificate] | None = None
    file, chain, key = settings.tokens, settings.tls_certificate, settings.tls_key
    if file is not None:
        try:
            tokens = Watched("the file of tokens", [file], lambda: keyring_of(load_tokens(file)))
        except ConfigurationError as error:
            faults += error.faults
    if chain is not None and key is not None:
        try:
            certificate = Watched("the certificate", [chain, key], lambda: load_certificate(chain, key))
        except ConfigurationError as error:
            faults += error.faults
    if faults:
        raise ConfigurationError(faults)
    return tokens, certificate
