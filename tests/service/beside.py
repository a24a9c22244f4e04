"""Traffic beside what a test does with a running serve."""

from __future__ import annotations

import threading

from tests.service.serving import Serving, event, until


class Beside:
    """Sends events and asks questions all the while; nothing may be refused."""

    def __init__(self, serve: Serving) -> None:
        self._serve = serve
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._go_on)
        self.answers: set[int] = set()
        self.sent = 0
        self.position = ""

    def _go_on(self) -> None:
        while not self._stop.is_set():
            self.sent += 1
            self.position = self._serve.send(event(f"b{self.sent}", "ticket.opened", ticket=f"B-{self.sent}"))
            self.answers.add(self._serve.get("/api/v1/cases").status)

    def __enter__(self) -> Beside:
        self._thread.start()
        until(lambda: self.sent > 1, "the first events beside")
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
