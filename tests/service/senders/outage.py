"""An outage: Throughline stops, or is killed, while all senders go on, and starts again on the same ports and data."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from itertools import chain, cycle
from pathlib import Path
from typing import Any, NamedTuple

from tests.guarantees.blows import end_all
from tests.service.senders.collectors import Collector
from tests.service.senders.ports import free_ports
from tests.service.senders.programs import NOTHING, Program, Sender
from tests.service.serving import DOORS, PATIENCE_SECONDS, Serving, serving

SHORT_SECONDS = 5.5  # an outage that every sender outlasts which outlasts any
MOST_OUTAGES = 8
MANY = 1_000
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


def endure(folder: Path, senders: list[Sender], folders: Mapping[str, Path]) -> Outcome:
    """Let senders meet outages, one by a stop and one by SIGKILL at least, short enough for those that outlast any."""
    ground = _Ground(folder / "data")
    accounts = {sender.name: Account(sender) for sender in senders}
    outages: list[float] = []
    with ExitStack() as stack:
        programs: list[Program] = []
        collectors: list[Collector] = []
        short: set[Callable[[Serving], None]] = set()
        up = stack.enter_context(ExitStack())
        serve = up.enter_context(ground.up())
        addresses = dict(ground.addresses)
        if "go" in folders:
            for name, door in (("otelcol.yaml", "kept"), ("otelcol-http.yaml", "plain")):
                collector = Collector(folders["go"] / "bin" / "otelcol", name, folder / door, ground.addresses)
                collectors.append(stack.enter_context(closing(collector)))
                addresses[door] = collector.address
        for sender in senders:
            log = folder / f"{sender.name}.log"
            programs.append(stack.enter_context(closing(Program(sender, folders, addresses, log))))
        for end in cycle((stop, end_all)):
            assert len(outages) < MOST_OUTAGES, (
                f"this machine is too slow for an outage of {SHORT_SECONDS} s: {outages}"
            )
            before = {program.sender.name: program.tell(3) for program in programs}
            _wait_for(serve, programs, chain.from_iterable(before.values()))
            meanwhile = {program.sender.name: program.tell(2) for program in programs}  # on their way at the end
            began = time.monotonic()
            end(serve)
            for program in programs:
                meanwhile[program.sender.name] += program.tell(3)
            if end is end_all and collectors:
                collectors[0].kill()  # its queue is on disk
            up.close()
            serve = up.enter_context(ground.up())
            outages.append(time.monotonic() - began)
            for program in programs:
                name = program.sender.name
                if program.sender.outlasts == NOTHING:
                    meanwhile[name] += _tell_until_heard(serve, program)
                accounts[name].told.append(Told(before[name], meanwhile[name], program.tell(2), outages[-1]))
            _wait_for(serve, programs, chain.from_iterable(account.certain() for account in accounts.values()))
            if outages[-1] < SHORT_SECONDS:
                short.add(end)
            if len(short) == 2:
                break
        for program in programs:
            account = accounts[program.sender.name]
            account.code, account.said = program.end(), program.log.read_text()
        events = Counter(_told_of(serve))
        cases = Counter(line["name"] for line in _pages(serve, "/api/v1/cases", "cases", process="time-to-bill"))
    return Outcome(accounts, events, cases, outages)


def _tell_until_heard(serve: Serving, program: Program) -> list[str]:
    """Let a sender that gives up at once find the door again; return what it was told for that."""
    told: list[str] = []
    end = time.monotonic() + PATIENCE_SECONDS
    while not told or not {entry for _, entry in _told_of(serve)}.intersection(told):
        assert time.monotonic() < end, f"{program.sender.name} does not come back: {program.log.read_text()}"
        told += program.tell(1)
        time.sleep(LOOK_AGAIN_SECONDS)
    return told


def _wait_for(serve: Serving, programs: list[Program], entries: Iterable[str]) -> None:
    """Wait until all these are there; fail at once where a program ended before."""
    wanted = set(entries)
    end = time.monotonic() + PATIENCE_SECONDS
    while missing := wanted - {entry for _, entry in _told_of(serve)}:
        ended = [program for program in programs if not program.runs()]
        assert not ended, [(program.sender.name, program.log.read_text()) for program in ended]
        assert time.monotonic() < end, f"waited in vain for {sorted(missing)}"
        time.sleep(LOOK_AGAIN_SECONDS)


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
