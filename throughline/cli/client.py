"""Asking a running Throughline: its address is given, found in the data folder that is, or else the setting."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterable
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import HTTPSHandler, ProxyHandler, Request, build_opener

import msgspec

from throughline.core.errors import ThroughlineError
from throughline.core.faults import show
from throughline.core.settings import CA_FILE_VARIABLE, TOKEN_VARIABLE, load_settings
from throughline.core.tls import pinned, trusting
from throughline.serve.folder import ADDRESSES, CERTIFICATE, read_small_file

ANSWER_SECONDS = 60.0

Document = dict[str, Any]


class NoAnswer(ThroughlineError):
    """Nobody answers there; the message says what to do."""


class Refused(ThroughlineError):
    """The API answered with a problem; ``document`` is it."""

    def __init__(self, document: Document) -> None:
        self.document = document
        hint = f"; set {TOKEN_VARIABLE} to its secret" if document.get("status") == 401 else ""
        super().__init__(f"{document.get('title', 'Refused')}: {document.get('detail', '')}{hint}")


class UrlRefused(ThroughlineError):
    """A URL that nothing is asked at: it is none of a door, or holds what does not belong there."""


class Place(NamedTuple):
    """Where a door is. ``certificate`` is the file that a serve of this machine shows, None: not known here."""

    url: str
    certificate: Path | None = None

    def context(self) -> ssl.SSLContext | None:
        """Return how to trust it: its certificate itself, else authorities (THROUGHLINE_CA_FILE, or the system's).

        None without TLS; raises ConfigurationError where the authorities cannot be read.
        """
        if not self.url.lower().startswith("https:"):
            return None
        if self.certificate is not None:
            with suppress(OSError):
                return pinned(self.certificate.read_bytes())
        authorities = os.environ.get(CA_FILE_VARIABLE)
        return trusting(Path(authorities) if authorities else None)


def api_place(url: str | None, data: Path | None) -> Place:
    """Return where to ask: the given URL, else what a serve wrote into its data folder, else the setting.

    Raises UrlRefused, and NoAnswer where a folder is given that nothing serves: another's answers would be taken for
    its own.
    """
    return _place("api", url, data)


def door_place(url: str | None, data: Path | None) -> Place:
    """Return where events are taken, as ``api_place`` does where to ask."""
    return _place("http", url, data)


def _place(door: str, url: str | None, data: Path | None) -> Place:
    if url is not None:
        return _given(url)
    settings = load_settings({"data": data}, os.environ)
    written = read_small_file(settings.data / ADDRESSES)
    if door in written:
        shown = written.get(CERTIFICATE)
        certificate = Path(str(shown)) if shown else None
        return Place(f"{'https' if certificate else 'http'}://{written[door]}", certificate)
    if data is not None:
        wanted = "wanted that of a running `throughline serve`, or --url URL in its place"
        raise NoAnswer(f"--data: seen {data}, a folder that nothing serves; {wanted}")
    certificate = settings.tls_certificate
    return Place(f"{'https' if certificate else 'http'}://{getattr(settings, door)}", certificate)


def _given(url: str) -> Place:
    scheme, _, rest = url.partition("://")
    if "@" in (rest or scheme).partition("/")[0]:
        wanted = f"wanted http://HOST:PORT; a token goes into {TOKEN_VARIABLE}"
        raise UrlRefused(f"--url: seen a name or a secret before the host, {wanted}")
    if not _names_a_door(url):
        raise UrlRefused(f"--url: seen {show(url)}, wanted http://HOST:PORT or https://HOST:PORT")
    return Place(url.rstrip("/"))


def _names_a_door(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, or too great
        return False


class Client:
    """The API of a running Throughline, with the token of THROUGHLINE_TOKEN where one is set."""

    def __init__(self, place: Place) -> None:
        self.url = place.url
        context = place.context()
        tls = [] if context is None else [HTTPSHandler(context=context)]
        self._open = build_opener(ProxyHandler({}), *tls).open  # the API is ours: no proxy between

    def get(self, path: str, parameters: Iterable[tuple[str, object]] = ()) -> Document:
        """Return the document at a path. Raises Refused, and NoAnswer where nobody is there."""
        return _read(self.get_bytes(path, parameters), self.url)

    def get_bytes(self, path: str, parameters: Iterable[tuple[str, object]] = ()) -> bytes:
        """Return the document at a path as it came: its numbers keep their text. Raises as ``get`` does."""
        query = urlencode([(name, str(value)) for name, value in parameters if value is not None])
        return self._ask(Request(f"{self.url}{path}{'?' + query if query else ''}", headers=self._headers()))

    def post(self, path: str, document: Document) -> Document:
        """Send a document to a path, and return the one that answers it. Raises Refused and NoAnswer."""
        headers = {**self._headers(), "Content-Type": "application/json"}
        request = Request(f"{self.url}{path}", msgspec.json.encode(document), headers, method="POST")
        return _read(self._ask(request), self.url)

    def _ask(self, request: Request) -> bytes:
        try:
            with self._open(request, timeout=ANSWER_SECONDS) as answer:
                return answer.read()
        except HTTPError as error:
            with error:
                raise Refused(_read(error.read(), self.url)) from None
        except (URLError, TimeoutError, OSError, ValueError, HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise NoAnswer(f"no Throughline answers at {self.url} ({reason}): {_next(reason)}") from error

    def _headers(self) -> dict[str, str]:
        token = os.environ.get(TOKEN_VARIABLE)
        return {"Authorization": f"Bearer {token}"} if token else {}


def _next(reason: object) -> str:
    if isinstance(reason, ssl.SSLCertVerificationError):
        return f"if it is yours, name the authority of its certificate with {CA_FILE_VARIABLE}=FILE"
    where = "--url http://HOST:PORT or --data DIR; https where it speaks TLS"
    return f"start one with `throughline serve`, or say where it is with {where}"


def case_path(process: str, name: str) -> str:
    """Return the path of a case."""
    return f"/api/v1/cases/{quote(process, safe='')}/{quote(name, safe='')}"


def _read(body: bytes, url: str) -> Document:
    try:
        return msgspec.json.decode(body, type=Document)
    except (msgspec.DecodeError, msgspec.ValidationError):
        raise NoAnswer(
            f"what answers at {url} is no Throughline: say where it is with --url http://HOST:PORT"
        ) from None
