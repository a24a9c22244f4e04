"""A certificate and its key are read together, every fault at once, and trusted by who reads the same file."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.certificates import Pair, make_pair
from throughline.core.errors import ConfigurationError
from throughline.core.tls import Certificate, door_context, load_certificate, pinned, trusting

pytestmark = pytest.mark.needs("openssl")


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Pair, Pair]:
    folder = tmp_path_factory.mktemp("certificates")
    return make_pair(folder, "first"), make_pair(folder, "second")


def faults_of(certificate: Path, key: Path) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load_certificate(certificate, key)
    return [fault.seen for fault in caught.value.faults]


def test_every_fault_of_both_files_comes_at_once(tmp_path: Path, pairs: tuple[Pair, Pair]) -> None:
    empty = tmp_path / "empty"
    empty.touch()
    assert faults_of(tmp_path / "absent", empty) == ["No such file or directory", "an empty file"]
    assert faults_of(pairs[0].key, pairs[0].certificate) == ["no certificate in PEM", "no private key in PEM"]


def test_a_key_of_another_certificate_is_a_fault(pairs: tuple[Pair, Pair]) -> None:
    (seen,) = faults_of(pairs[0].certificate, pairs[1].key)
    assert seen.startswith("no pair with ")


def test_nobody_is_asked_for_the_passphrase_of_a_key(tmp_path: Path, pairs: tuple[Pair, Pair]) -> None:
    key = tmp_path / "locked.key"
    key.write_text("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n")
    assert faults_of(pairs[0].certificate, key) == ["a key with a passphrase"]


def test_a_certificate_shows_no_key(pairs: tuple[Pair, Pair]) -> None:
    certificate = load_certificate(*pairs[0])
    assert "PRIVATE" not in f"{certificate!r} {certificate}"


@contextmanager
def listening(context: ssl.SSLContext) -> Generator[int]:
    """Answer each caller over TLS with a greeting."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            while True:
                try:
                    caller, _ = server.accept()
                except OSError:
                    return
                with caller:
                    try:
                        with context.wrap_socket(caller, server_side=True) as secured:
                            secured.sendall(b"hello")
                    except OSError:
                        pass

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def hears(port: int, context: ssl.SSLContext, name: str | None = None) -> bytes:
    with (
        socket.create_connection(("127.0.0.1", port), timeout=20) as plain,
        context.wrap_socket(plain, server_hostname=name) as secured,
    ):
        return secured.recv(5)


def test_each_caller_is_shown_the_certificate_in_force_then(pairs: tuple[Pair, Pair]) -> None:
    first, second = (load_certificate(*pair) for pair in pairs)
    in_force = [first]
    with listening(door_context(lambda: in_force[0])) as port:
        assert hears(port, pinned(first.chain)) == b"hello"
        assert hears(port, trusting(pairs[0].certificate), "localhost") == b"hello"
        in_force[0] = second
        assert hears(port, pinned(first.chain, second.chain)) == b"hello"
        with pytest.raises(ssl.SSLCertVerificationError):
            hears(port, pinned(first.chain))
        with pytest.raises(ssl.SSLCertVerificationError):
            hears(port, trusting(pairs[1].certificate), "elsewhere.example")


def test_what_is_no_certificate_is_not_trusted(pairs: tuple[Pair, Pair]) -> None:
    certificate: Certificate = load_certificate(*pairs[0])
    with listening(door_context(lambda: certificate)) as port:
        assert hears(port, pinned(b"", b"half a certif", certificate.chain)) == b"hello"
        with pytest.raises(ssl.SSLCertVerificationError):
            hears(port, pinned(b""))


def test_authorities_that_cannot_be_read_are_a_fault(tmp_path: Path) -> None:
    (tmp_path / "none.pem").write_text("nothing")
    for name in ("none.pem", "absent.pem"):
        with pytest.raises(ConfigurationError, match="wanted a file of certificates in PEM"):
            trusting(tmp_path / name)
