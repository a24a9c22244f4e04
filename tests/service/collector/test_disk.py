"""A full disk, a read-only folder and an error of the disk: refused, said, and healed without a restart."""

from __future__ import annotations

import os
import random
import resource
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.running_collector import RunningCollector, cloudevent, events

HEAL_SECONDS = 20
TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of four megabytes, where this user may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("needs the right to mount a tmpfs: run as root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def bulky(number: int) -> dict[str, object]:
    """Return an event that doesn't compress."""
    noise = random.Random(number).randbytes(3_000).hex()
    return cloudevent(number, data={"time_entry": f"TE-{number}", "note": noise})


def fill(collector: RunningCollector, first: int, most: int = 5_000) -> tuple[list[str], int]:
    """Send until it is refused; return the ids that were acknowledged, and the next number."""
    acknowledged: list[str] = []
    for number in range(first, first + most):
        answer = collector.send(bulky(number))
        if answer.status_code == 503:
            assert int(answer.headers["retry-after"]) >= 1
            assert answer.headers["content-type"] == "application/problem+json"
            return acknowledged, number + 1
        assert answer.status_code == 202, answer.text
        acknowledged.append(f"e-{number}")
    raise AssertionError("never refused")


def wait_until_ready(collector: RunningCollector) -> None:
    until = time.monotonic() + HEAL_SECONDS
    while collector.ready():
        assert time.monotonic() < until, collector.ready()


def check_grpc_unavailable(collector: RunningCollector) -> None:
    request = ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add()
    span.trace_id, span.span_id = b"x" * 16, b"y" * 8
    with grpc.insecure_channel(collector.addresses["otlp_grpc"]) as channel:
        with pytest.raises(grpc.RpcError) as error:
            channel.unary_unary(TRACES)(request.SerializeToString(), timeout=20)
        assert isinstance(error.value, grpc.Call)
        assert error.value.code() is grpc.StatusCode.UNAVAILABLE
        status = Status.FromString(dict(error.value.trailing_metadata())["grpc-status-details-bin"])
        info = RetryInfo()
        assert status.details[0].Unpack(info)
        assert info.retry_delay.seconds >= 1


def test_a_full_disk_is_refused_and_heals_when_there_is_room(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(2_000_000))
    data = small_disk / "data"
    data.mkdir()
    with RunningCollector(data, {"free_bytes": 0}) as collector:
        acknowledged, number = fill(collector, 1)
        assert acknowledged
        assert "disk is full" in collector.ready()[0]
        assert collector.metric("throughline_journal_commit_failures_total") >= 1
        check_grpc_unavailable(collector)
        assert set(acknowledged) <= {event.id for event in events(data)}
        ballast.unlink()
        wait_until_ready(collector)
        more, _ = fill(collector, number)
        assert more
    kept = [event.id for event in events(data)]
    assert set(acknowledged + more) <= set(kept)


def test_an_error_of_the_disk_is_refused_and_heals(tmp_path: Path) -> None:
    with RunningCollector(tmp_path, file_bytes=1_500_000) as collector:
        acknowledged, number = fill(collector, 1)
        assert acknowledged
        assert "disk" in collector.ready()[0]
        check_grpc_unavailable(collector)
        resource.prlimit(collector.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        wait_until_ready(collector)
        assert collector.send(bulky(number)).status_code == 202
        collector.kill()
    assert {*acknowledged, f"e-{number}"} <= {event.id for event in events(tmp_path)}


def test_a_read_only_folder_is_refused_and_heals_when_it_is_writable(tmp_path: Path) -> None:
    # root may write anywhere, unless it gives that right up
    unprivileged = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    if unprivileged and shutil.which("setpriv") is None:
        pytest.skip("as root this needs setpriv (util-linux)")
    data = tmp_path / "data"
    data.mkdir()
    with RunningCollector(data) as collector:
        assert collector.send(cloudevent(1)).status_code == 202
    for path in data.iterdir():
        path.chmod(0o400)
    data.chmod(0o500)
    with RunningCollector(data, before=unprivileged) as collector:
        assert "read-only" in collector.ready()[0] or "opened" in collector.ready()[0]
        assert collector.send(cloudevent(2)).status_code == 503
        check_grpc_unavailable(collector)
        data.chmod(0o700)
        for path in data.iterdir():
            path.chmod(0o600)
        wait_until_ready(collector)
        assert collector.send(cloudevent(3)).status_code == 202
    assert [event.id for event in events(data)] == ["e-1", "e-3"]
