"""The ports kept for the doors."""

from __future__ import annotations

import socket

import pytest

from throughline.core.address import Address
from throughline.core.errors import StartRefused
from throughline.serve.ports import reserve


def listener(address: Address) -> socket.socket:
    door = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    door.bind(tuple(address))
    door.listen()
    return door


def test_port_0_takes_a_free_port_that_a_part_can_bind_again_and_again() -> None:
    kept = reserve("--http", Address("127.0.0.1", 0))
    assert kept.address.port > 0
    for _ in range(2):
        with listener(kept.address), socket.create_connection(kept.address) as caller:
            assert caller.getpeername() == tuple(kept.address)
    with pytest.raises(ConnectionRefusedError):  # the reservation itself takes no connection
        socket.create_connection(kept.address)
    kept.close()


def test_a_port_in_use_names_port_and_option() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(StartRefused, match=rf"port {port} .*--otlp-http"):
            reserve("--otlp-http", Address("127.0.0.1", port))


def test_a_port_kept_by_another_serve_is_in_use_although_it_would_be_shared() -> None:
    kept = reserve("--http", Address("127.0.0.1", 0))
    with pytest.raises(StartRefused, match="in use"):
        reserve("--http", kept.address)
    with listener(kept.address), pytest.raises(StartRefused, match="in use"):
        reserve("--http", kept.address)
    kept.close()


def test_a_host_that_is_not_here_names_the_option() -> None:
    with pytest.raises(StartRefused, match="--api"):
        reserve("--api", Address("192.0.2.1", 0))
