"""An outage: Throughline stops, or is killed, while all senders go on, and starts again on the same ports and data."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from itertools import chain, cycle, islice
from pathlib import Path
from typing import Any, NamedTuple

from tests.guarantees.blows import end_all
from tests.service.senders.collectors import Collector
from tests.service.senders.ports import free_ports
from tests.service.senders.programs import NOTHING, Program, Sender
from tests.service.serving import DOORS, PATIENCE_SECONDS, Serving, serving

SHORT_SECONDS = 5.6  # what every sender outlasts that outlasts any outage
MOST_OUTAGES = 4  # on a machine that is too slow for short ones
MANY = 1_000
COLLECTORS = {"kept": "otelcol.yaml", "plain": "otelcol-http.yaml"}  # their configurations, by door
LOOK_AGAIN_SECONDS = 0.2


class Told(NamedTuple):
    """Time entries that a sender was told of in one outage, before, while and after Throughline was away."""

    before: list[str]
    meanwhile: list[str]
    after: list[str]
    seconds: float


@dataclass
class Account:
    """What a sender was told, outage by outage, and in the end its exit code and what it said."""

    sender: Sender
    told: list[Told] = field(default_factory=list)
    code: int | None = None
    said: str = ""

    def certain(self) -> Iterator[str]:
        """The entries that it must not have lost: all but those of an outage longer than it is known to outlast."""
        for told in self.told:
            yield from told.before
            yield from told.meanwhile if told.seconds < self.sender.outlasts else []
            yield from told.after

    def all(self) -> Iterator[str]:
        for told in self.told:
            yield from (*told.before, *told.meanwhile, *told.after)


class Outcome(NamedTuple):
    """What came of it: accounts by sender, events by source and time entry, cases by name."""

    accounts: Mapping[str, Account]
    events: Counter[tuple[str, str]]
    cases: Counter[str]
    outages: list[float]


def stop(serve: Serving) -> None:
    assert serve.stop() == 0


class _Ground:
    """A serve that starts again where it was."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.addresses = dict(
            zip(("http", "api", "otlp_http", "otlp_grpc"), (f"127.0.0.1:{port}" for port in free_ports(4)), strict=True)
        )
        self._options = [
            word for option, address in zip(DOORS, self.addresses.values(), strict=True) for word in (option, address)
        ]

    @contextmanager
    def up(self) -> Generator[Serving]:
        (self.data / "addresses.json").unlink(missing_ok=True)
        with serving(self.data, *self._options) as serve:
            yield serve


class Ordeal:
    """All senders before one serve, Collectors between some of them and it; ``meet`` lets them meet an outage."""

    def __init__(self, folder: Path, senders: list[Sender], folders: Mapping[str, Path], stack: ExitStack) -> None:
        self.accounts = {sender.name: Account(sender) for sender in senders}
        self.outages: list[float] = []
        self._ground = _Ground(folder / "data")
        self._up = stack.enter_context(ExitStack())
        self.serve = self._up.enter_context(self._ground.up())
        addresses = dict(self._ground.addresses)
        self._collectors: list[Collector] = []
        for door, name in COLLECTORS.items() if "go" in folders else ():
            collector = Collector(folders["go"] / "bin" / "otelcol", name, folder / door, self._ground.addresses)
            self._collectors.append(stack.enter_context(closing(collector)))
            addresses[door] = collector.address
        self._programs = [
            stack.enter_context(closing(Program(sender, folders, addresses, folder / f"{sender.name}.log")))
            for sender in senders
        ]

    def meet(self, end: Callable[[Serving], None]) -> None:
        """End the serve while senders go on, start it again, and wait until all is there that is surely not lost."""
        before = self._tell(3)
        self._wait_for(chain.from_iterable(before.values()))
        meanwhile = self._tell(2)  # on their way at the end
        began = time.monotonic()
        end(self.serve)
        for name, entries in self._tell(3).items():
            meanwhile[name] += entries
        fallen = self._collectors[:1] if end is end_all else []  # its queue is on disk
        for collector in fallen:
            collector.kill()
        self._up.close()
        self.serve = self._up.enter_context(self._ground.up())
        self.outages.append(time.monotonic() - began)
        for collector in fallen:
            collector.start()
        for program in self._programs:
            if program.sender.outlasts == NOTHING:
                meanwhile[program.sender.name] += self._tell_until_heard(program)
        for name, after in self._tell(2).items():
            self.accounts[name].told.append(Told(before[name], meanwhile[name], after, self.outages[-1]))
        self._wait_for(chain.from_iterable(account.certain() for account in self.accounts.values()))

    def finish(self) -> Outcome:
        """Let all senders come to their end, and say what came of it."""
        for program in self._programs:
            account = self.accounts[program.sender.name]
            account.code, account.said = program.end(), program.log.read_text()
        cases = _pages(self.serve, "/api/v1/cases", "cases", process="time-to-bill")
        return Outcome(
            self.accounts, Counter(_told_of(self.serve)), Counter(line["name"] for line in cases), self.outages
        )

    def _tell(self, count: int) -> dict[str, list[str]]:
        return {program.sender.name: program.tell(count) for program in self._programs}

    def _tell_until_heard(self, program: Program) -> list[str]:
        """Let a sender that gives up at once find the door again; return what it was told for that."""
        told: list[str] = []
        end = time.monotonic() + PATIENCE_SECONDS
        while not told or not {entry for _, entry in _told_of(self.serve)}.intersection(told):
            assert time.monotonic() < end, f"{program.sender.name} does not come back: {program.log.read_text()}"
            told += program.tell(1)
            time.sleep(LOOK_AGAIN_SECONDS)
        return told

    def _wait_for(self, entries: Iterable[str]) -> None:
        """Wait until all these are there; fail at once where a program ended before."""
        wanted = set(entries)
        end = time.monotonic() + PATIENCE_SECONDS
        while missing := wanted - {entry for _, entry in _told_of(self.serve)}:
            ended = [program for program in self._programs if not program.runs()]
            assert not ended, [(program.sender.name, program.log.read_text()) for program in ended]
            assert time.monotonic() < end, f"waited in vain for {sorted(missing)}"
            time.sleep(LOOK_AGAIN_SECONDS)


def endure(folder: Path, senders: list[Sender], folders: Mapping[str, Path]) -> Outcome:
    """Let senders meet outages: one by a stop and one by SIGKILL at least, one of them short enough for most."""
    with ExitStack() as stack:
        ordeal = Ordeal(folder, senders, folders, stack)
        for end in islice(cycle((stop, end_all)), MOST_OUTAGES):
            ordeal.meet(end)
            if len(ordeal.outages) > 1 and min(ordeal.outages) < SHORT_SECONDS:
                break
        return ordeal.finish()


def _told_of(serve: Serving) -> Iterator[tuple[str, str]]:
    """Yield the source and the time entry of each event that counts."""
    for each in _pages(serve, "/api/v1/events", "events"):
        yield each["event"]["source"], each["event"]["data"]["time_entry"]


def _pages(serve: Serving, path: str, name: str, **parameters: str) -> Iterator[dict[str, Any]]:
    asked: dict[str, str | int] = {"limit": MANY, **parameters}
    while True:
        page = serve.get(path, **asked).json
        yield from page[name]
        if page["next"] is None:
            return
        asked["cursor"] = page["next"]
