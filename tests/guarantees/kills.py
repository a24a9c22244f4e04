"""``python -m tests.guarantees.kills``: as many kills at random moments as asked for, in one run that says what it saw.

It ends with 0 only where every acknowledged event counts once, and all that is shown equals what an engine shows that
folds the same journal and statements undisturbed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.guarantees.blows import Blow, Sudden, end_all, end_supervisor
from tests.postgresql_server import Postgresql, ServerKilled
from tests.service.serving import Serving
from tests.service.test_guarantee_kills import Life, endure

PARTS = ("collector", "collector", "engine", "engine", "api")
SERVER = "PostgreSQL"
BLOWS_OF_A_LIFE = 9
ENDS = {"supervisor": end_supervisor, "all at once": end_all}


@dataclass(frozen=True)
class Told:
    """A blow that says on standard error when it falls."""

    blow: Blow
    what: str
    number: int

    def strike(self, serve: Serving) -> None:
        self.blow.strike(serve)
        say(self.number, self.what)


def say(number: int, what: str) -> None:
    print(f"  {number:>4}  {what}", file=sys.stderr, flush=True)


def lives_of(kills: int, seed: int, server: Postgresql | None) -> tuple[list[Life], Counter[str]]:
    """Return lives of a service, and perhaps of its server, with so many kills in all, and how often each is hit."""
    chance = Random(seed)
    counted: Counter[str] = Counter()
    lives: list[Life] = []
    while counted.total() < kills:
        blows: list[Blow] = []
        while len(blows) < BLOWS_OF_A_LIFE and counted.total() < kills:
            part = chance.choice(PARTS if server is None else (*PARTS, SERVER, SERVER))
            counted[part] += 1
            blow = Sudden(part) if server is None or part != SERVER else ServerKilled(server)
            blows.append(Told(blow, part, counted.total()))
        if counted.total() == kills:
            lives.append(Life(blows))
            return lives, counted
        what = chance.choice(list(ENDS))
        counted[what] += 1
        lives.append(Life(blows, _told(what, counted.total())))
    lives.append(Life([]))
    return lives, counted


def _told(what: str, number: int) -> Callable[[Serving], None]:
    def end(serve: Serving) -> None:
        ENDS[what](serve)
        say(number, what)

    return end


def main() -> None:
    """Run, and print what was killed and what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.guarantees.kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--postgresql", action="store_true", help="keep the store in one of its own, killed as well")
    parser.add_argument("words", nargs="*", metavar="OPTION", help="further options of serve, after --")
    given = parser.parse_args()
    print(f"seed {given.seed}", file=sys.stderr, flush=True)
    began = time.monotonic()
    with ExitStack() as stack:
        server = stack.enter_context(closing(Postgresql())) if given.postgresql else None
        lives, counted = lives_of(given.kills, given.seed, server)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kills-")))
        accounts = endure(folder, lives, *given.words, url=None if server is None else server.fresh())
    hit = ", ".join(f"{part} {count}" for part, count in counted.most_common())
    print(f"{counted.total()} kills (-9) in {time.monotonic() - began:.0f} s, seed {given.seed}: {hit}")
    print(
        f"{len(accounts.sent):,} events sent by seven senders, which sent a payload again {accounts.repeated:,} times"
    )
    print(f"{len(accounts.acknowledged):,} events acknowledged, each counted once; {len(lives)} starts of serve")


if __name__ == "__main__":
    main()
