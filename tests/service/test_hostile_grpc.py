"""Nothing that a sender can send over gRPC breaks a serve: a status or an end each, and good traffic goes on."""

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from tests.hostile import otlp
from tests.hostile.beset import Beset
from tests.hostile.grpc_frames import BROKEN, FLOODS, IGNORED, REFUSED
from tests.hostile.http2 import ARE_YOU_THERE, LOGS, METRICS, TRACES, ended
from tests.service.serving import serving

pytestmark = pytest.mark.xdist_group("hostile_grpc")

REQUEST_SECONDS = 3.0
LIMITS = ("--body-bytes", "1000000", "--inflated-bytes", "1000000", "--request-seconds", str(REQUEST_SECONDS))
METHODS = {otlp.TRACES: TRACES, otlp.LOGS: LOGS, otlp.METRICS: METRICS}
CODES = {
    grpc.StatusCode.INVALID_ARGUMENT: otlp.MALFORMED,
    grpc.StatusCode.RESOURCE_EXHAUSTED: otlp.TOO_LARGE,
    grpc.StatusCode.OK: otlp.SET_ASIDE,
}
MESSAGES = [
    pytest.param(METHODS[path], body, code, id=name)
    for code, table in CODES.items()
    for name, (path, body) in table.items()
]
COMPRESSION = {"plain": grpc.Compression.NoCompression, "gzip": grpc.Compression.Gzip}


@pytest.fixture(scope="module")
def beset(tmp_path_factory: pytest.TempPathFactory) -> Generator[Beset]:
    with serving(tmp_path_factory.mktemp("hostile") / "data", *LIMITS) as serve, Beset(serve) as beset:
        yield beset


@pytest.fixture(scope="module")
def channel(beset: Beset) -> Generator[grpc.Channel]:
    with grpc.insecure_channel(beset.serve.addresses["otlp_grpc"]) as channel:
        yield channel


def code_of(channel: grpc.Channel, method: str, body: bytes, **more: object) -> grpc.StatusCode:
    """Return the status of a call; any that is no answer of ours in time is a failure."""
    try:
        channel.unary_unary(method)(body, timeout=20, **more)
    except grpc.RpcError as error:
        return error.code()
    return grpc.StatusCode.OK


@pytest.mark.parametrize("compression", COMPRESSION)
@pytest.mark.parametrize(("method", "body", "wanted"), MESSAGES)
def test_a_message_is_answered_by_its_status(
    beset: Beset, channel: grpc.Channel, method: str, body: bytes, wanted: grpc.StatusCode, compression: str
) -> None:
    with beset.under():
        assert code_of(channel, method, body, compression=COMPRESSION[compression]) is wanted


CALLS = {
    "an unknown method": (LOGS.replace("Export", "Delete"), {}, grpc.StatusCode.UNIMPLEMENTED),
    "a service of another name": ("/hostile/Export", {}, grpc.StatusCode.UNIMPLEMENTED),
    "a message above the limit": (LOGS, {"body": bytes(1_000_001)}, grpc.StatusCode.RESOURCE_EXHAUSTED),
    "a bomb": (
        LOGS,
        {"body": bytes(50_000_000), "compression": grpc.Compression.Gzip},
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    ),
    "huge metadata": (LOGS, {"metadata": [("hostile", "x" * 100_000)]}, grpc.StatusCode.RESOURCE_EXHAUSTED),
    "metadata by the thousand": (
        LOGS,
        {"metadata": [(f"hostile-{n}", "x" * 30) for n in range(2_000)]},
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_call_is_answered_by_its_status(beset: Beset, channel: grpc.Channel, name: str) -> None:
    method, more, wanted = CALLS[name]
    with beset.under():
        assert code_of(channel, method, more.pop("body", b"hostile"), **more) is wanted


@pytest.mark.parametrize("name", BROKEN | REFUSED)
def test_frames_end_in_an_answer_or_with_their_connection(beset: Beset, name: str) -> None:
    with beset.under():
        over, kinds = ended(beset.serve.addresses["otlp_grpc"], (BROKEN | REFUSED)[name])
    assert over, kinds


@pytest.mark.parametrize("name", IGNORED)
def test_frames_that_mean_nothing_end_nothing(beset: Beset, name: str) -> None:
    with beset.under():
        over, kinds = ended(beset.serve.addresses["otlp_grpc"], IGNORED[name] + ARE_YOU_THERE)
    assert over, kinds


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_leaves_room_for_others(beset: Beset, channel: grpc.Channel, name: str) -> None:
    with beset.under(), ThreadPoolExecutor(4) as others:
        flood = [
            others.submit(ended, beset.serve.addresses["otlp_grpc"], FLOODS[name] + ARE_YOU_THERE) for _ in range(4)
        ]
        codes = [code_of(channel, LOGS, b"") for _ in range(3)]
        for each in flood:
            each.result()
    assert code_of(channel, LOGS, b"") is grpc.StatusCode.OK
    assert set(codes) <= {grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED}


def test_good_traffic_went_on_and_nothing_hostile_stayed(beset: Beset) -> None:
    beset.was_always_good()
