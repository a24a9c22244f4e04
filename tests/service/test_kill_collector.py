"""A collector killed again and again, at random and at each boundary, loses nothing that it acknowledged."""

from __future__ import annotations

import itertools
import random
import threading
from collections import Counter
from pathlib import Path

import httpx2
import msgspec

from tests.running_collector import BATCH, RunningCollector, cloudevent, events

SENDERS = 3
BATCH_SIZE = 4
KILLS_OF_EACH_KIND = 6
LONGEST_LIFE_SECONDS = 0.25
PATIENCE_SECONDS = 60.0
LOOK_AGAIN_SECONDS = 0.05
NOWHERE = "http://127.0.0.1:9/"


class Senders:
    """Send batches to whatever collector runs, each batch again and again until it is acknowledged."""

    def __init__(self) -> None:
        self.acknowledged: list[int] = []
        self._url: str | None = None
        self._stopped = False  # begin no further batch
        self._given_up = False
        self._change = threading.Condition()
        self._numbers = itertools.count()
        self._threads = [threading.Thread(target=self._send_all) for _ in range(SENDERS)]
        for thread in self._threads:
            thread.start()

    def aim(self, url: str | None) -> None:
        """Send to another address from now on; None while there is none."""
        with self._change:
            self._url = url
            self._change.notify_all()

    def wait_for_answers(self, more: int) -> None:
        """Wait until so many more events were acknowledged."""
        with self._change:
            wanted = len(self.acknowledged) + more
            assert self._change.wait_for(lambda: len(self.acknowledged) >= wanted, PATIENCE_SECONDS)

    def stop(self) -> None:
        """Let each sender bring its last batch home."""
        with self._change:
            self._stopped = True
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS)
            assert not thread.is_alive()

    def give_up(self) -> None:
        """End without bringing anything home, where the test has failed."""
        with self._change:
            self._stopped = self._given_up = True
            self._change.notify_all()

    def _send_all(self) -> None:
        with httpx2.Client(timeout=10.0) as client:
            while not self._stopped:
                self._bring_home(client, [next(self._numbers) for _ in range(BATCH_SIZE)])

    def _bring_home(self, client: httpx2.Client, numbers: list[int]) -> None:
        body = msgspec.json.encode([cloudevent(number) for number in numbers])
        while not self._given_up:
            with self._change:
                assert self._change.wait_for(lambda: self._url is not None or self._given_up, PATIENCE_SECONDS)
                url = self._url or NOWHERE
            try:
                answer = client.post(url, content=body, headers={"content-type": BATCH})
            except (httpx2.NetworkError, httpx2.RemoteProtocolError):  # killed; a time-out would be a hang
                self._look_again(url)
                continue
            if answer.status_code == 202:
                with self._change:
                    self.acknowledged += numbers
                    self._change.notify_all()
                return

    def _look_again(self, failed: str) -> None:
        """Wait a little for another address than the one that failed."""
        with self._change:
            self._change.wait_for(lambda: self._url != failed or self._given_up, LOOK_AGAIN_SECONDS)


def live_and_die(data: Path, senders: Senders, kind: str, luck: random.Random) -> None:
    """Run a collector until it is killed in the given way."""
    aimed = kind in ("appended", "committed")
    collector = RunningCollector(data, kill=(kind, luck.randrange(1, 12)) if aimed else None)
    senders.aim(collector.events_url)
    if kind == "answered":
        senders.wait_for_answers(luck.randrange(1, 40))
    elif kind == "at random":
        threading.Event().wait(luck.uniform(0, LONGEST_LIFE_SECONDS))
    if aimed:
        assert collector.process.wait(PATIENCE_SECONDS) == -9
    collector.kill()


def test_nothing_acknowledged_is_lost_or_changed_by_kills(tmp_path: Path) -> None:
    luck = random.Random(20261121)
    kinds = ["appended", "committed", "answered", "at random"] * KILLS_OF_EACH_KIND
    luck.shuffle(kinds)
    senders = Senders()
    try:
        for kind in kinds:
            live_and_die(tmp_path, senders, kind, luck)
        with RunningCollector(tmp_path) as last:
            senders.aim(last.events_url)
            senders.stop()
    finally:
        senders.give_up()
    kept = events(tmp_path)
    acknowledged = [f"e-{number}" for number in senders.acknowledged]
    assert len(acknowledged) == len(set(acknowledged)) > len(kinds)
    contents = {(event.source, event.id, event.digest) for event in kept}
    assert Counter(event_id for _, event_id, _ in contents) == Counter(acknowledged)
