"""``python -m bench.overload``: ten times as many senders as a door needs for its peak, and what that does to it.

Senders ask in a closed loop, each on a connection of its own, and come back a little after a refusal. Three phases: as
many as bring a door to its peak, ten times as many, and as many as before. Goodput is what was acknowledged a second.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import grpc
import grpc.aio
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from rich.console import Console

from bench.frames import BATCH_TYPE, EVENTS_PATH, request
from bench.service import Service

TIMES = 10
SENDERS = {"http": 16, "otlp_http": 16, "otlp_grpc": 16}  # at a door's peak
EVENTS = 100  # in each request
AGAIN_SECONDS = 0.1  # after a refusal
LEAST_GOODPUT = 0.9
LOGS = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
_HEAD = re.compile(rb"HTTP/1\.1 (\d{3}) [^\r]*\r\n.*?content-length: (\d+)\r\n.*?\r\n\r\n", re.DOTALL)


class Phase(NamedTuple):
    """What came of one phase: answers by their word, and how long it took, in seconds."""

    answers: dict[str, int]
    seconds: float

    @property
    def goodput(self) -> float:
        """Acknowledged requests a second."""
        return self.answers.get("accepted", 0) / self.seconds

    @property
    def refused(self) -> int:
        return sum(count for word, count in self.answers.items() if word != "accepted")


class Overload(NamedTuple):
    """The three phases of one door."""

    before: Phase
    under: Phase
    after: Phase

    @property
    def kept(self) -> float:
        """How much of the peak's goodput was kept under load."""
        return self.under.goodput / self.before.goodput


def measure(door: str, address: str, seconds: float) -> Overload:
    """Put a door under load; each phase takes so long."""
    few = SENDERS[door]
    return Overload(*(asyncio.run(_phase(door, address, number, seconds)) for number in (few, TIMES * few, few)))


async def _phase(door: str, address: str, senders: int, seconds: float) -> Phase:
    answers: Counter[str] = Counter()
    began = time.monotonic()
    until = began + seconds
    if door == "otlp_grpc":
        channels = [grpc.aio.insecure_channel(address, [("grpc.use_local_subchannel_pool", 1)]) for _ in range(8)]
        sending = [_send_calls(channels[number % 8], answers, until) for number in range(senders)]
        await asyncio.gather(*sending)
        await asyncio.gather(*(channel.close() for channel in channels))
    else:
        frame = _events() if door == "http" else _logs()
        await asyncio.gather(*(_send_frames(address, frame, answers, until) for _ in range(senders)))
    return Phase(dict(answers), time.monotonic() - began)


async def _send_frames(address: str, frame: bytes, answers: Counter[str], until: float) -> None:
    host, _, port = address.rpartition(":")
    while time.monotonic() < until:
        try:
            reader, writer = await asyncio.open_connection(host, int(port))
        except OSError:
            answers["no connection"] += 1
            await asyncio.sleep(AGAIN_SECONDS)
            continue
        try:
            while time.monotonic() < until:
                writer.write(frame)
                status = await _status(reader)
                answers["accepted" if status in (200, 202) else str(status)] += 1
                if status not in (200, 202):
                    await asyncio.sleep(AGAIN_SECONDS)
        except (OSError, asyncio.IncompleteReadError):
            answers["ended"] += 1
        finally:
            writer.close()


async def _status(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    found = _HEAD.match(head)
    assert found is not None, head
    await reader.readexactly(int(found[2]))
    return int(found[1])


async def _send_calls(channel: grpc.aio.Channel, answers: Counter[str], until: float) -> None:
    call, message = channel.unary_unary(LOGS), _log_message()
    while time.monotonic() < until:
        try:
            await call(message, timeout=60)
            answers["accepted"] += 1
        except grpc.aio.AioRpcError as error:
            answers[error.code().name.lower()] += 1
            await asyncio.sleep(AGAIN_SECONDS)


def _events() -> bytes:
    events = [
        {
            "specversion": "1.0",
            "id": f"o{number}",
            "source": "/overload",
            "type": "time.submitted",
            "time": "2025-11-02T16:04:11Z",
            "data": {"time_entry": f"O-{number}", "note": "x" * 100},
        }
        for number in range(EVENTS)
    ]
    return request(EVENTS_PATH, BATCH_TYPE, json.dumps(events).encode())


def _log_message() -> bytes:
    message = ExportLogsServiceRequest()
    group = message.resource_logs.add()
    group.resource.attributes.append(KeyValue(key="service.name", value=AnyValue(string_value="overload")))
    scope = group.scope_logs.add()
    for number in range(EVENTS):
        record = scope.log_records.add(event_name="time.submitted", time_unix_nano=1_762_099_451 * 10**9)
        record.attributes.append(KeyValue(key="time_entry", value=AnyValue(string_value=f"O-{number}")))
        record.attributes.append(KeyValue(key="note", value=AnyValue(string_value="x" * 100)))
    return message.SerializeToString()


def _logs() -> bytes:
    return request("/v1/logs", "application/x-protobuf", _log_message())


def main() -> None:
    """Measure all doors of a running service and print; exit with 1 where one keeps less than it should."""
    parser = argparse.ArgumentParser(prog="python -m bench.overload", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="of each of the three phases")
    parser.add_argument("--door", choices=SENDERS, action="append", help="this door only; may be given again")
    given = parser.parse_args()
    console = Console(highlight=False)
    worst = 1.0
    with tempfile.TemporaryDirectory(prefix="throughline-overload-") as folder:
        data = Path(folder) / "data"
        data.mkdir()
        service = Service(data, Path(folder) / "log")
        service.start()
        try:
            for door in given.door or SENDERS:
                found = measure(door, service.addresses[door], given.seconds)
                worst = min(worst, found.kept)
                _print(console.print, door, found, service.memory().resident)
        finally:
            service.stop()
    sys.exit(0 if worst >= LEAST_GOODPUT else 1)


def _print(say: Callable[[str], None], door: str, found: Overload, memory: float) -> None:
    say(f"[bold]{door}[/bold]: {found.kept:.0%} of its peak kept, {memory:,.0f} MiB")
    for name, phase in found._asdict().items():
        answers = ", ".join(f"{count:,} {word}" for word, count in sorted(phase.answers.items()))
        say(f"  {name:7} {phase.goodput * EVENTS:10,.0f} events/s ({answers})")


if __name__ == "__main__":
    main()
