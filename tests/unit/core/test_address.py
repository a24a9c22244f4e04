"""Addresses are read strictly, and know whether others can reach them."""

from __future__ import annotations

import pytest

from throughline.core.address import Address


@pytest.mark.parametrize("text", ["127.0.0.1:4318", "localhost:0", "[::1]:65535", "0.0.0.0:80", "collector.example:1"])
def test_it_reads_and_writes_the_same(text: str) -> None:
    assert str(Address.parse(text)) == text


def test_it_takes_an_ipv6_host_out_of_its_brackets() -> None:
    assert Address.parse("[fe80::1]:80") == Address("fe80::1", 80)


@pytest.mark.parametrize(
    "text",
    ["", "4318", ":4318", "host:", "host:-1", "host:65536", "host:٣", "::1:80", "[::1]", "[host]:1", "a b:1", "u@h:1"],
)
def test_anything_else_is_refused_with_what_was_wanted(text: str) -> None:
    with pytest.raises(ValueError, match="wanted HOST:PORT"):
        Address.parse(text)


@pytest.mark.parametrize(
    ("text", "loopback"),
    [
        ("127.0.0.1:1", True),
        ("127.9.9.9:1", True),
        ("[::1]:1", True),
        ("localhost:1", True),
        ("0.0.0.0:1", False),
        ("[::]:1", False),
        ("10.0.0.7:1", False),
        ("localhost.example.com:1", False),
    ],
)
def test_only_loopback_is_out_of_reach_for_others(text: str, loopback: bool) -> None:
    assert Address.parse(text).is_loopback is loopback
