"""Ports: found once by the supervisor and kept for as long as it runs, so that a restarted part is where it was.

A reservation is a bound socket that never listens: with SO_REUSEPORT it leaves the port to the parts of this serve,
which bind with SO_REUSEPORT too, and keeps it from everybody else while a part is down.
"""

from __future__ import annotations

import errno
import os
import socket
from typing import NamedTuple

from throughline.core.address import Address
from throughline.core.errors import StartRefused


class Reservation(NamedTuple):
    """A port kept for one door; ``address`` has the port that was found where 0 was asked for."""

    address: Address
    socket: socket.socket

    def close(self) -> None:
        self.socket.close()


def reserve(option: str, wanted: Address) -> Reservation:
    """Take the port of one door, named by its option for the message.

    Raises StartRefused where the port is in use, not allowed, or the host is none of this machine.
    """
    try:
        family, *_, target = socket.getaddrinfo(wanted.host, wanted.port, type=socket.SOCK_STREAM)[0]
        if wanted.port:
            _find_free(family, target)
        reserved = socket.socket(family, socket.SOCK_STREAM)
        try:
            _share(reserved)
            reserved.bind(target)
        except OSError:
            reserved.close()
            raise
    except OSError as error:
        raise StartRefused(_sentence(option, wanted, error)) from error
    return Reservation(Address(wanted.host, reserved.getsockname()[1]), reserved)


def _find_free(family: int, target: tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]) -> None:
    """Raise OSError where somebody has the port, one who shares it included (SO_REUSEPORT would join them)."""
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        if os.name == "posix":  # connections that just closed do not count
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(target)


def _share(reserved: socket.socket) -> None:
    if reserved.family == socket.AF_INET6:
        reserved.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)


def _sentence(option: str, wanted: Address, error: OSError) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return (
                f"port {wanted.port} of {wanted.host} is in use by another program: stop that one, "
                f"or give another port with {option} {wanted.host}:PORT (0 takes a free one)"
            )
        case errno.EACCES:
            return f"port {wanted.port} is not allowed for this user: give one above 1023 with {option} HOST:PORT"
        case _:
            return (
                f"cannot listen on {wanted} ({error.strerror or error}): give an address of this machine with {option}"
            )
