"""Asking a running Throughline: its address is given, found in the data folder, or the default one."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode
from urllib.request import ProxyHandler, Request, build_opener

import msgspec

from throughline.core.errors import ThroughlineError
from throughline.core.settings import TOKEN_VARIABLE, load_settings
from throughline.serve.folder import ADDRESSES, read_small_file

ANSWER_SECONDS = 60.0

Document = dict[str, Any]


class NoAnswer(ThroughlineError):
    """Nobody answers there; the message says what to do."""


class Refused(ThroughlineError):
    """The API answered with a problem; ``document`` is it."""

    def __init__(self, document: Document) -> None:
        self.document = document
        hint = f"; set {TOKEN_VARIABLE} to that secret" if document.get("status") == 401 else ""
        super().__init__(f"{document.get('title', 'Refused')}: {document.get('detail', '')}{hint}")


def api_url(url: str | None, data: Path | None) -> str:
    """Return where to ask: the given URL, else what a serve wrote into its data folder, else the setting."""
    if url is not None:
        return url.rstrip("/")
    settings = load_settings({"data": data}, os.environ)
    address = read_small_file(settings.data / ADDRESSES).get("api") or settings.api
    return f"http://{address}"


def door_url(url: str | None, data: Path | None) -> str:
    """Return where events are taken: the given URL, else what a serve wrote into its data folder, else the setting."""
    if url is not None:
        return url.rstrip("/")
    settings = load_settings({"data": data}, os.environ)
    address = read_small_file(settings.data / ADDRESSES).get("http") or settings.http
    return f"http://{address}"


class Client:
    """The API of a running Throughline, with the token of THROUGHLINE_TOKEN where one is set."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._open = build_opener(ProxyHandler({})).open  # the API is ours: no proxy between

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
        except (URLError, TimeoutError, OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise NoAnswer(
                f"no Throughline answers at {self.url} ({reason}): start one with `throughline serve`, "
                "or say where it is with --url http://HOST:PORT or --data DIR"
            ) from error

    def _headers(self) -> dict[str, str]:
        token = os.environ.get(TOKEN_VARIABLE)
        return {"Authorization": f"Bearer {token}"} if token else {}


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
