"""Files run out, connections being some: what was acknowledged stays, it is said once, and passes by itself."""

from __future__ import annotations

import http.client
import json
import os
import resource
import socket
import threading
from collections.abc import Callable, Generator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.service.serving import Serving, event, serving, until

pytestmark = [
    pytest.mark.serial,
    pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs Linux, to lower the limit of another process"),
]

DOORS = ("http", "otlp_http", "otlp_grpc", "api")
FEW = ("sh", "-c", 'ulimit -n 256 && exec "$@"', "sh")
MANY = 120  # connections to each door: more than all the files there are
SPARE = 12  # files that a part may still open when the limit comes down
LOOK_SECONDS = 2.0  # over which what a part does while files are out is watched
LOGS = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"


def connected(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=20)


@contextmanager
def crowds(serve: Serving, doors: tuple[str, ...] = DOORS) -> Generator[None]:
    """Hold many connections to each door that say nothing."""
    with ExitStack() as stack:
        for door in doors * MANY:
            stack.enter_context(closing(connected(serve.addresses[door])))
        yield


def submitted(number: int) -> dict[str, Any]:
    return event(f"e{number}", "time.submitted", time_entry=f"TE-{number}")


def exports(serve: Serving) -> bool:
    try:
        with grpc.insecure_channel(serve.addresses["otlp_grpc"]) as channel:
            channel.unary_unary(LOGS)(b"", timeout=5)
    except grpc.RpcError:
        return False
    return True


def reason_of(told: dict[str, Any], part: str) -> str:
    return next(each["reason"] or "" for each in told["parts"] if each["part"] == part)


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_with_few_files_doors_take_fewer_connections_and_good_ones_get_in(tmp_path: Path) -> None:
    with serving(tmp_path / "data", "--request-seconds", "300", before=FEW) as serve:
        told = serve.get("/readyz")
        assert told.status == 200
        for part in ("collector", "api"):
            assert "256 files may be open, so a door takes" in reason_of(told.json, part)
            assert "ulimit -n" in reason_of(told.json, part)
        with crowds(serve, ("http", "otlp_http")):
            until(lambda: answers(lambda: serve.folded(serve.send(submitted(1)))["reached"]), "a good answer")
            assert serve.get("/readyz").status == 200
    log = serve.data.with_suffix(".log").read_text()
    assert log.count('"fewer_connections"') == 2


def test_where_files_run_out_it_waits_says_so_once_and_goes_on(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as serve, ExitStack() as stack:
        asked, kept = (stack.enter_context(kept_open(serve.addresses[door])) for door in ("api", "http"))
        serve.folded(serve.send(submitted(1)))
        parts = dict(serve.parts)
        before = {part: limit_files(parts[part], SPARE) for part in ("collector", "engine")}
        with crowds(serve, DOORS[:3]):
            until(lambda: "files open that it may" in ready_over(asked)["collector"], "readiness to say why")
            position = send_over(kept, 2)
            before["api"] = limit_files(parts["api"], SPARE)
            with crowds(serve, ("api",)):
                until(lambda: "can open no further file" in ready_over(asked)["api"], "readiness to say why")
                used = {part: cpu_seconds(parts[part]) for part in before}
                threading.Event().wait(LOOK_SECONDS)
                spent = {part: cpu_seconds(parts[part]) - used[part] for part in before}
                position = send_over(kept, 3)
        until(lambda: answers(lambda: serve.folded(position)["counts"]["events"] == 3), "connections to be taken again")
        for part, limits in before.items():
            resource.prlimit(parts[part], resource.RLIMIT_NOFILE, limits)
        until(lambda: serve.get("/readyz").status == 200, "readiness")
        until(lambda: exports(serve), "a good answer over gRPC")
        assert serve.folded(serve.send(submitted(4)))["counts"]["events"] == 4
        assert serve.parts == parts
    assert max(spent.values()) < LOOK_SECONDS / 4, spent
    log = [json.loads(line) for line in serve.data.with_suffix(".log").read_text().splitlines() if line[0] == "{"]
    waits = [line for line in log if line["event"] == "connections_wait"]
    assert sorted({line["part"] for line in waits}) == ["api", "collector"]
    assert len(waits) <= 3  # one a listener
    assert all("ulimit -n" in line["what_to_do"] for line in waits)
    assert [line for line in log if line["level"] in ("error", "critical") and line not in waits] == []


def kept_open(address: str) -> closing[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection(address, timeout=60)
    connection.connect()
    return closing(connection)


def limit_files(pid: int, spare: int) -> tuple[int, int]:
    """Let a process open a few files more than it has; return what it was allowed."""
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (len(os.listdir(f"/proc/{pid}/fd")) + spare, before[1]))
    return before


def send_over(kept: http.client.HTTPConnection, number: int) -> str:
    """Send an event over a connection that is kept; return its position."""
    kept.request("POST", "/v1/events", json.dumps(submitted(number)), {"content-type": "application/cloudevents+json"})
    answer = kept.getresponse()
    content = json.loads(answer.read())
    assert answer.status == 202, content
    return content["position"]


def ready_over(asked: http.client.HTTPConnection) -> dict[str, str]:
    asked.request("GET", "/readyz")
    told = json.loads(asked.getresponse().read())
    return {each["part"]: each["reason"] or "" for each in told["parts"]}


def answers(holds: Callable[[], bool]) -> bool:
    """Tell whether a condition holds; it does not yet where the crowd had the last place, or the door none to give."""
    try:
        return holds()
    except (OSError, http.client.HTTPException, AssertionError):
        return False
