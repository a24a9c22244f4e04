"""OTLP over gRPC: the export services of traces, logs and metrics, their messages taken as bytes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final, cast
from urllib.parse import unquote

import grpc
import grpc.aio

from collector.admission import Admission
from collector.counts import DoorCounts
from collector.http_answers import POSITION_HEADER, PROTOBUF, response_message
from collector.http_types import InHand
from collector.intake import Incoming, Intake
from collector.lanes import Lanes
from collector.otlp_answers import google_code, partial_success, status_code
from collector.otlp_wire import wire
from collector.reading import Door, Refusal, Refused, Signal
from throughline.core.tls import Certificate

_SERVICE: Final = "/opentelemetry.proto.collector.{}.v1.{}Service/Export"
METHODS: Final = {
    _SERVICE.format("trace", "Trace"): Signal.TRACES,
    _SERVICE.format("logs", "Logs"): Signal.LOGS,
    _SERVICE.format("metrics", "Metrics"): Signal.METRICS,
}
STATUS_DETAILS: Final = "grpc-status-details-bin"
PYTHON_RETRY_INFO: Final = "google.rpc.retryinfo-bin"  # where Python's OTLP exporter looks for it
RETRY_INFO_URL: Final = "type.googleapis.com/google.rpc.RetryInfo"
MOST_AT_ONCE: Final = 256
_MOST_WAITING: Final = 8 * MOST_AT_ONCE  # beyond it gRPC itself refuses, without a word on when to come back
IDLE_MILLISECONDS: Final = 60_000  # who asks nothing for so long makes room for others

Metadata = tuple[tuple[str, str | bytes], ...]


class OtlpService(grpc.GenericRpcHandler):
    """Answers the export methods; any other is unimplemented."""

    def __init__(
        self,
        intake: Intake,
        admission: Admission,
        in_hand: InHand,
        counts: DoorCounts,
        lanes: Lanes,
        header_bytes: int,
    ) -> None:
        self._intake = intake
        self._admission = admission
        self._in_hand = in_hand
        self._counts = counts
        self._lanes = lanes
        self._header_bytes = header_bytes
        self._under_way = 0
        handler = cast("Any", grpc.stream_unary_rpc_method_handler)  # a unary one waits for its message for ever
        self._methods: dict[str, Any] = {method: handler(self._export(signal)) for method, signal in METHODS.items()}

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        return self._methods.get(cast("Any", handler_call_details).method)

    def _export(self, signal: Signal) -> Callable[[AsyncIterator[bytes], Any], Any]:
        async def export(messages: AsyncIterator[bytes], context: Any) -> bytes:
            return await self._take(signal, messages, context)

        return export

    async def _take(self, signal: Signal, messages: AsyncIterator[bytes], context: Any) -> bytes:
        held = 0
        self._under_way += 1
        try:
            if self._under_way > MOST_AT_ONCE:
                raise Refused(Refusal.OVERLOADED, f"{MOST_AT_ONCE} calls are under way already", 1)
            metadata = context.invocation_metadata()
            self._bound(metadata)
            authorization = _first(metadata, "authorization")
            permit = self._admission.admit(Door.OTLP_GRPC, authorization, _host(context.peer()))
            body = await self._lanes.read(messages)
            self._counts.received(len(body))
            self._in_hand.take(len(body), 0)
            held = len(body)
            incoming = Incoming(Door.OTLP_GRPC, signal, permit.sender, PROTOBUF, {}, body, weigh=permit.weigh)
            receipt = await self._intake.take(incoming)
        except Refused as refused:
            self._counts.refused(refused.refusal)
            await context.abort(status_code(refused.refusal), refused.sentence, error_metadata(refused))
            raise
        finally:
            self._under_way -= 1
            self._in_hand.give_back(held)
        context.set_trailing_metadata(((POSITION_HEADER, receipt.position),))
        return response_message(*partial_success(signal, receipt.reading))

    def _bound(self, metadata: Any) -> None:
        """Raise Refused where headers are too large together: gRPC counts those of one frame only."""
        if sum(len(name) + len(value) for name, value in metadata or ()) > self._header_bytes:
            sentence = f"the headers have more than {self._header_bytes:,} bytes"
            raise Refused(Refusal.HEADERS_TOO_LARGE, sentence)


def error_metadata(refused: Refused) -> Metadata:
    """Return the trailing metadata of a refusal; a RetryInfo where the sender may come back."""
    status = wire().RpcStatus(code=google_code(refused.refusal), message=refused.sentence)
    if refused.retry_after is None:
        return ((STATUS_DETAILS, status.SerializeToString()),)
    info = wire().RetryInfo(retry_delay=wire().Duration(seconds=refused.retry_after)).SerializeToString()
    status.details.add(type_url=RETRY_INFO_URL, value=info)
    return ((STATUS_DETAILS, status.SerializeToString()), (PYTHON_RETRY_INFO, info))


def _first(metadata: Any, name: str) -> str:
    found = next((value for key, value in metadata or () if key == name), "")
    return found if isinstance(found, str) else ""


def _host(peer: str) -> str:
    """Return the host of a gRPC peer: ipv4:127.0.0.1:50000, ipv6:[::1]:50000 or unix:…, percent-encoded."""
    kind, _, address = unquote(peer).partition(":")
    return address.rpartition(":")[0].strip("[]") if kind in ("ipv4", "ipv6") else "local"


def grpc_options(inflated_bytes: int, header_bytes: int, request_seconds: float, connections: int) -> Mapping[str, int]:
    """Return the channel options by which gRPC keeps to our limits."""
    return {
        "grpc.max_receive_message_length": inflated_bytes,  # holds for the inflated message too
        "grpc.max_metadata_size": header_bytes,
        "grpc.absolute_max_metadata_size": header_bytes,
        "grpc.max_allowed_incoming_connections": connections,
        "grpc.http2.bdp_probe": 0,  # it would widen the windows of calls whose message nobody has asked for yet
        "grpc.so_reuseport": 1,
        "grpc.server_handshake_timeout_ms": round(request_seconds * 1000),
        "grpc.max_connection_idle_ms": IDLE_MILLISECONDS,
        "grpc.http2.min_ping_interval_without_data_ms": 10_000,
        "grpc.keepalive_time_ms": 60_000,
        "grpc.keepalive_timeout_ms": 20_000,
        "grpc.max_concurrent_streams": 100,
    }


async def start_grpc(
    service: OtlpService, address: str, options: Mapping[str, int], certificate: Callable[[], Certificate] | None = None
) -> tuple[grpc.aio.Server, int]:
    """Start a server at HOST:PORT and return it with its port; raises OSError where the port can't be had.

    ``certificate`` gives the one in force, for each connection anew; None: without TLS.
    """
    server = grpc.aio.server(options=list(options.items()), maximum_concurrent_rpcs=_MOST_WAITING)
    server.add_generic_rpc_handlers((service,))
    try:
        if certificate is None:
            port = server.add_insecure_port(address)
        else:
            port = server.add_secure_port(address, _credentials(certificate))
    except RuntimeError as error:
        raise OSError(f"cannot listen on {address}: {error}") from error
    await server.start()
    return server, port


def _credentials(certificate: Callable[[], Certificate]) -> Any:
    """Return credentials that show each caller the certificate in force."""
    shown = certificate()

    def changed() -> Any:
        nonlocal shown
        if certificate() is shown:
            return None
        shown = certificate()
        return _configuration(shown)

    return cast("Any", grpc).dynamic_ssl_server_credentials(_configuration(shown), changed, False)


def _configuration(certificate: Certificate) -> Any:
    return cast("Any", grpc).ssl_server_certificate_configuration([(certificate.key, certificate.chain)])
