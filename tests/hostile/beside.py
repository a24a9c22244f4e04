"""Good traffic from a process of its own, so that what hostile senders cost their own process does not count.

``python -m tests.hostile.beside HOST:PORT`` sends one good event after another on one connection, and for each writes a
line: when it was sent by the monotonic clock, which all processes share, how long its answer took, and the status.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from http.client import HTTPConnection
from typing import Any

PACE_SECONDS = 0.01  # between two events
BATCH = "application/cloudevents-batch+json"


def good(number: int) -> dict[str, Any]:
    """Return an event that is taken, and opens a case of its own."""
    event = {"specversion": "1.0", "id": f"good-{number}", "source": "/good", "type": "time.submitted"}
    return event | {"time": "2025-11-02T16:04:11Z", "data": {"time_entry": f"G-{number}"}}


def send_on(address: str, ended: threading.Event) -> None:
    """Send until told to end."""
    host, _, port = address.rpartition(":")
    connection = HTTPConnection(host, int(port), timeout=30)
    number = 0
    while not ended.wait(PACE_SECONDS):
        number += 1
        began, status = time.monotonic(), "0"
        try:
            connection.request("POST", "/v1/events", json.dumps([good(number)]), {"content-type": BATCH})
            answer = connection.getresponse()
            answer.read()
            status = str(answer.status)
        except OSError as error:
            status = repr(error)
            connection.close()
        print(began, time.monotonic() - began, status, flush=True)
    connection.close()


def main() -> None:
    """Send until standard input ends."""
    ended = threading.Event()
    sender = threading.Thread(target=send_on, args=(sys.argv[1], ended))
    sender.start()
    sys.stdin.read()
    ended.set()
    sender.join()


if __name__ == "__main__":
    main()
