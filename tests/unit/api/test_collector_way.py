"""The API reaches the collector by the certificate that both read, also while one of them has a new one already."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.error import URLError

import pytest

from tests.certificates import Pair, make_pair
from throughline.api.collector_way import CollectorWay

pytestmark = pytest.mark.needs("openssl")


@contextmanager
def collector(pair: Pair) -> Generator[str]:
    """Run a stand-in for the collector over TLS; it answers with the secret that it was shown."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            shown = self.headers.get("authorization", "nothing").encode()
            self.send_response(200)
            self.send_header("content-length", str(len(shown)))
            self.end_headers()
            self.wfile.write(shown)

        def log_message(self, format: str, *args: object) -> None: ...

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)
    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_it_trusts_what_the_file_held_and_holds_and_nothing_else(tmp_path: Path) -> None:
    former, young, other = (make_pair(tmp_path, name) for name in ("former", "young", "other"))
    held, now, foreign = (pair.certificate.read_bytes() for pair in (former, young, other))
    for shown in (former, young):
        with collector(shown) as address:
            assert CollectorWay(address, "ours", lambda: (held, now)).ask("/readyz", 20.0) == b"Bearer ours"
            with pytest.raises(URLError, match="CERTIFICATE_VERIFY_FAILED"):
                CollectorWay(address, "ours", lambda: (foreign, b"")).ask("/readyz", 20.0)
