"""What goes over a system's queue, one JSON line each: orders in, reports back, trace context in their headers."""

from __future__ import annotations

from typing import Any

import msgspec

Headers = dict[str, str]


class Addresses(msgspec.Struct, frozen=True):
    """Where the product listens: host:port each."""

    http: str
    api: str
    otlp_http: str
    otlp_grpc: str


class Order(msgspec.Struct, frozen=True):
    """One thing a system is to do; times in microseconds. ``headers`` are those of the messages that cause it.

    ``sends`` names the queues on which it passes the work on; ``copies`` is how many times it reports it.
    """

    id: str
    type: str
    time: int
    reported: int
    fields: dict[str, Any]
    headers: list[Headers] = []
    sends: list[str] = []
    flow: str | None = None
    error: dict[str, Any] | None = None
    copies: int = 1


class Advance(msgspec.Struct, frozen=True):
    """Some orders to carry out, in order; the system answers when all of them are reported and acknowledged."""

    orders: list[Order]


class Done(msgspec.Struct, frozen=True):
    """What came of an advance: the headers of each message sent, by order, and the last position acknowledged."""

    headers: dict[str, Headers]
    position: str | None = None
    refused: list[str] = []


advance_decoder = msgspec.json.Decoder(Advance)
done_decoder = msgspec.json.Decoder(Done)
encoder = msgspec.json.Encoder()
