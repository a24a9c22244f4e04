"""The way to the collector of this serve: its HTTP door, with the secret of the serve, by TLS where it speaks it."""

from __future__ import annotations

from collections.abc import Callable
from urllib.request import HTTPSHandler, OpenerDirector, ProxyHandler, Request, build_opener

from throughline.core.tls import pinned


class CollectorWay:
    """Asks the collector, which shows the very certificate that this process reads from the same file."""

    def __init__(self, address: str, secret: str, chains: Callable[[], tuple[bytes, ...]] | None = None) -> None:
        """``address``: HOST:PORT. ``chains`` gives the certificates that it may show just now; None: without TLS."""
        self._url = f"{'http' if chains is None else 'https'}://{address}"
        self._secret = secret
        self._chains = chains

    def ask(self, path: str, seconds: float, body: bytes | None = None, accept: str | None = None) -> bytes:
        """Return the answer to GET, or to POST of some JSON; raises HTTPError for a refusal, else OSError."""
        headers = {"Authorization": f"Bearer {self._secret}"} if self._secret else {}
        if accept is not None:
            headers["Accept"] = accept
        if body is not None:
            headers["Content-Type"] = "application/json"
        request = Request(self._url + path, body, headers)
        with self._opener().open(request, timeout=seconds) as answer:
            return answer.read()

    def _opener(self) -> OpenerDirector:
        handlers: list[ProxyHandler | HTTPSHandler] = [ProxyHandler({})]  # between our own parts stands none
        if self._chains is not None:
            handlers.append(HTTPSHandler(context=pinned(*self._chains())))
        return build_opener(*handlers)
