"""Neither who is slow, nor who are many, nor what is large keeps a serve from its good senders."""

from __future__ import annotations

import gzip
import json
import resource
import socket
import struct
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress

import grpc
import pytest

from tests.hostile import api, cloudevents, otlp
from tests.hostile.beset import Beset
from tests.hostile.beside import good
from tests.hostile.http1 import answer_to, chunked, request, statuses
from tests.hostile.http2 import LOGS
from tests.hostile.protobuf import field, log, logs
from tests.hostile.stalled import Stalled
from tests.hostile.transport import Way
from tests.service.serving import event, serving, until

pytestmark = pytest.mark.xdist_group("hostile_crowds")

REQUEST_SECONDS = 2.0
BULK_LIMIT = 2_000
SIZE = 16 * 1024 * 1024
MOST_CONNECTIONS = 10_000  # or as many as this process may have files open
SPARE_FILES = 500
DOORS = ("http", "otlp_http", "otlp_grpc", "api")
WAYS: dict[str, Way] = {
    "http": Way(cloudevents.PATH, "application/cloudevents-batch+json", b"[]", SIZE),
    "otlp_http": Way(otlp.TRACES, otlp.PROTOBUF, b"", SIZE),
    "api": Way(api.STATEMENTS, api.JSON, b"{}", SIZE),
}


@pytest.fixture(scope="module")
def beset(tmp_path_factory: pytest.TempPathFactory) -> Generator[Beset]:
    folder = tmp_path_factory.mktemp("hostile")
    limits = ("--request-seconds", str(REQUEST_SECONDS), "--bulk-limit", str(BULK_LIMIT))
    with serving(folder / "data", *limits) as serve, Beset(serve) as beset:
        yield beset


def slow(way: Way) -> dict[str, bytes]:
    path, content_type, _, _ = way
    return {
        "one byte": b"P",
        "a line that never ends": f"POST {path}".encode(),
        "a head that never ends": f"POST {path} HTTP/1.1\r\nhost:".encode(),
        "a body that never comes": request(path, content_type, b"", length="100"),
        "a body that never ends": request(path, content_type, b"x" * 50, length="100"),
        "chunks that never end": chunked(path, content_type, b" " * 10, end=b""),
        "a chunk that never ends": chunked(path, content_type, end=b"ff\r\nab"),
        "trailers that never end": chunked(path, content_type, end=b"0\r\nh: v\r\n"),
    }


def test_who_never_ends_is_told_that_it_takes_too_long(beset: Beset) -> None:
    rows = [(door, name, sent) for door, way in WAYS.items() for name, sent in slow(way).items()]
    with beset.under(), ThreadPoolExecutor(len(rows)) as senders:
        answers = senders.map(lambda row: answer_to(beset.serve.addresses[row[0]], row[2])[0], rows)
        found = {(door, name): status for (door, name, _), status in zip(rows, answers, strict=True)}
    assert found == dict.fromkeys(found, 408)


def test_who_says_nothing_is_ended(beset: Beset) -> None:
    with beset.under(), ThreadPoolExecutor(4) as senders:
        answers = senders.map(lambda door: answer_to(beset.serve.addresses[door], b"")[0], ("http", "otlp_http", "api"))
        assert set(answers) <= {0, 408}


def test_who_is_half_gone_leaves_nothing_behind(beset: Beset) -> None:
    """Connections that are reset, or whose peer neither reads nor ends."""
    with beset.under(), ExitStack() as stack:
        for door, way in WAYS.items():
            whole = request(way.path, way.content_type, way.body)
            for sent in (whole, whole * 2_000, *slow(way).values()):
                connection = stack.enter_context(closing(connected(beset.serve.addresses[door])))
                connection.settimeout(0.2)
                with suppress(TimeoutError, ConnectionError):
                    connection.sendall(sent)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        takes_good_ones(beset)


def test_ten_thousand_connections_leave_room_for_good_ones(beset: Beset) -> None:
    most = min(MOST_CONNECTIONS, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - SPARE_FILES)
    with beset.under(), ExitStack() as stack:
        for number in range(most):
            stack.enter_context(closing(connected(beset.serve.addresses[DOORS[number % len(DOORS)]])))
        takes_good_ones(beset)
    takes_good_ones(beset)


def connected(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=20)


def takes_good_ones(beset: Beset, doors: tuple[str, ...] = DOORS) -> None:
    """Hold that each door takes something good that comes on a connection of its own, at once or when told to wait."""
    takers = {
        "http": lambda: status_of(beset, "http", request("/v1/events", "application/cloudevents-batch+json", b"[]")),
        "otlp_http": lambda: status_of(beset, "otlp_http", request(otlp.LOGS, otlp.PROTOBUF)),
        "api": lambda: status_of(beset, "api", api.get("/api/v1/cases?limit=1")),
        "otlp_grpc": lambda: exports(beset),
    }
    for door in doors:
        until(takers[door], f"a good answer of {door}")


def status_of(beset: Beset, door: str, sent: bytes) -> bool:
    status, answer = answer_to(beset.serve.addresses[door], sent)
    assert status in (0, 200, 202, 429), answer
    return status in (200, 202)


def exports(beset: Beset) -> bool:
    try:
        with grpc.insecure_channel(beset.serve.addresses["otlp_grpc"]) as channel:
            channel.unary_unary(LOGS)(b"", timeout=5)
    except grpc.RpcError:
        return False
    return True


def filled(before: bytes, unit: bytes, after: bytes) -> bytes:
    return before + unit * ((SIZE - len(before) - len(after)) // len(unit)) + after


LARGE = {
    "a batch of nothing": ("http", cloudevents.PATH, cloudevents.BATCH, filled(b"[", b"{},", b"{}]"), {413}),
    "a text of backslashes": ("http", cloudevents.PATH, cloudevents.STRUCTURED, filled(b'{"a":"', b"\\", b""), {400}),
    "a number of 16 MiB": ("http", cloudevents.PATH, cloudevents.STRUCTURED, filled(b'{"a":', b"9", b"}"), {400}),
    "brackets": ("otlp_http", otlp.TRACES, otlp.JSON, b"[" * SIZE, {413}),
    "resources": ("otlp_http", otlp.TRACES, otlp.PROTOBUF, b"\x0a\x00" * (SIZE // 2), {413}),
    "values in a log": (
        "otlp_http",
        otlp.LOGS,
        otlp.PROTOBUF,
        logs(log(field(5, field(5, b"\x0a\x00" * (SIZE // 2 - 100))), field(9, b"t" * 16), name=b"")),
        {200},
    ),
}


@pytest.mark.parametrize("name", LARGE)
def test_what_is_as_large_as_allowed_costs_others_nothing(beset: Beset, name: str) -> None:
    door, path, content_type, body, wanted = LARGE[name]
    plain = request(path, content_type, body)
    packed = request(path, content_type, gzip.compress(body, 1), "content-encoding: gzip\r\n")
    with beset.under(), ThreadPoolExecutor(4) as senders:
        answers = senders.map(lambda sent: answer_to(beset.serve.addresses[door], sent, 60)[0], (plain, packed) * 2)
        assert set(answers) <= wanted | {429}


MESSAGES, STALLED = 100, 3  # together nearly five gigabytes


def test_messages_that_are_never_whole_take_little_memory_at_the_grpc_door(beset: Beset) -> None:
    address = beset.serve.addresses["otlp_grpc"]
    with beset.under(), ExitStack() as stack, ThreadPoolExecutor(STALLED) as senders:
        stalled = [stack.enter_context(closing(Stalled(address, MESSAGES, SIZE))) for _ in range(STALLED)]
        sent = sum(senders.map(lambda each: each.send_for(REQUEST_SECONDS), stalled))
    assert sent > 10 * SIZE
    beset.stayed_within_memory()
    takes_good_ones(beset)


WEBSOCKET = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAA\r\n"
H2C = "connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQCAAAA\r\n"
ODD = {
    "an offer of a websocket": WEBSOCKET,
    "an offer of HTTP/2": H2C,
    "expecting to go on": "expect: 100-continue\r\n",
    "expecting something else": "expect: hostile\r\n",
    "a range": "range: bytes=0-1\r\n",
    "a condition": 'if-none-match: "hostile"\r\n',
    "a forwarded address": "x-forwarded-for: 10.0.0.1\r\nforwarded: for=10.0.0.1\r\n",
    "another method on top": "x-http-method-override: DELETE\r\n",
    "an empty header": "h:\r\n",
}


@pytest.mark.parametrize("name", ODD)
def test_what_is_odd_but_means_no_harm_is_taken(beset: Beset, name: str) -> None:
    body = json.dumps([good(0)]).encode()
    sent = request("/v1/events", "application/cloudevents-batch+json", body, ODD[name])
    assert answer_to(beset.serve.addresses["http"], sent)[0] == 202
    asked = request(api.STATEMENTS, api.JSON, json.dumps(api.statement(verb="hostile")).encode(), ODD[name])
    assert answer_to(beset.serve.addresses["api"], asked)[0] == 422


def test_requests_in_one_piece_are_answered_one_by_one(beset: Beset) -> None:
    for door, sent, wanted in (
        ("http", request("/v1/events", "application/cloudevents-batch+json", b"[]"), 202),
        ("otlp_http", request(otlp.LOGS, otlp.PROTOBUF), 200),
        ("api", api.get("/api/v1/cases?limit=1"), 200),
    ):
        with closing(connected(beset.serve.addresses[door])) as connection:
            connection.sendall(sent * 100)
            received = b""
            while statuses(received).count(wanted) < 100:
                received += connection.recv(65_536)
            assert statuses(received) == [wanted] * 100


def test_one_id_with_two_contents_counts_once_and_the_other_is_shown(beset: Beset) -> None:
    twice = [event("twin", "ticket.opened", "2025-11-02T16:04:11Z", "/twins", ticket=f"T-{n}") for n in (1, 2)]
    beset.serve.send(twice[0])
    beset.serve.folded(beset.serve.send(twice[1]))
    entries = beset.serve.get("/api/v1/quarantine", source="/twins").json["entries"]
    assert [(entry["event_id"], entry["reason"]) for entry in entries] == [("twin", "other_content")]


def test_an_event_of_1970_is_taken(beset: Beset) -> None:
    beset.serve.folded(beset.serve.send(event("old", "ticket.opened", "1970-01-01T00:00:00Z", "/old", ticket="T-0")))


def test_a_carrier_with_very_many_holders_is_shown_with_it_only(beset: Beset) -> None:
    entries = [[f"H-{n}-{m}" for m in range(1_000)] for n in range(6)]
    events = [
        event(f"h{n}", "time.submitted", "2025-11-02T16:04:11Z", "/holders", time_entry=names, invoice="I-1")
        for n, names in enumerate(entries)
    ]
    with beset.under():
        beset.serve.folded(beset.serve.send(*events))
    assert beset.serve.get("/api/v1/records", type="invoice", value="I-1").status == 200


def test_good_traffic_went_on(beset: Beset) -> None:
    beset.rest()
    assert {each.status for each in beset.sent} == {"202"}
    beset.serves_on()
    beset.stayed_within_memory()
    beset.logged_no_fault()
    beset.kept_its_latency()
