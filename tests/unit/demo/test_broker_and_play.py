"""Queues and simulated time: nothing is given out early, twice or without its cause, and the clock never lags."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from throughline.core.instants import DAY, HOUR, parse_instant
from throughline.demo.broker import Broker
from throughline.demo.chronicle import Happening
from throughline.demo.firm import SYSTEMS
from throughline.demo.plan import Plan, plan
from throughline.demo.play import HEARTBEAT, IN_A_HURRY, ClockFile, Pace, Played, play, seen_until
from throughline.demo.systems.message import Done, Order

NOON = parse_instant("2026-10-06T12:00:00Z")


def happening(name: str, system: str, reported: int, *causes: str) -> Happening:
    return Happening(name, system, "time.posted", NOON, {}, reported, causes, flow="psa-erp-time" if causes else None)


def test_an_order_is_given_out_once_and_when_it_is_due():
    broker = Broker([happening("a", "psa", NOON), happening("b", "psa", NOON + HOUR)])
    assert [order.id for order in broker.due(NOON)["psa"]] == ["a"]
    assert broker.due(NOON) == {}
    assert [order.id for order in broker.due(NOON + HOUR)["psa"]] == ["b"]
    assert broker.left == 0


def test_an_order_waits_for_the_message_that_causes_it_and_carries_its_headers():
    broker = Broker([happening("b", "erp-emea", NOON, "a"), happening("a", "psa", NOON + HOUR)])
    assert broker.due(NOON) == {}
    (cause,) = broker.due(NOON + HOUR)["psa"]
    assert cause.sends == ["psa-erp-time"]
    broker.answered(Done({"a": {"traceparent": "00-1-2-01"}}))
    (order,) = broker.due(NOON + HOUR)["erp-emea"]
    assert order.headers == [{"traceparent": "00-1-2-01"}]


class Ledger:
    """Systems that do nothing but write down what they were told, and at what time the clock stood."""

    def __init__(self, clock: Path) -> None:
        self._clock = clock
        self.orders: list[tuple[int, str, Order]] = []

    def carry_out(self, orders: dict[str, list[Order]]) -> list[Done]:
        now = parse_instant(self._clock.read_text())
        self.orders += [(now, system, order) for system, some in orders.items() for order in some]
        return [Done({order.id: {} for order in some}, "j9") for some in orders.values()]


def played(folder: Path, tick: int = HOUR) -> tuple[Plan, Ledger, Played]:
    told = plan(7, "small", 3)
    clock = folder / "clock.txt"
    ledger = Ledger(clock)
    return (
        told,
        ledger,
        play(told, ledger, ClockFile(clock, told.begins), Pace(0.0, tick, clock_is_read_seconds=0.0), lambda _: None),
    )


def test_everything_is_reported_once_and_never_before_its_time(tmp_path: Path):
    told, ledger, ended = played(tmp_path)
    done = [order.id for _, _, order in ledger.orders if order.type != HEARTBEAT]
    assert sorted(done) == sorted(each.id for each in told.happenings)
    assert all(order.reported <= now for now, _, order in ledger.orders)
    assert ended == ("j9", len(ledger.orders), sum(each.copies - 1 for each in told.happenings))


@pytest.mark.parametrize("tick", [HOUR, IN_A_HURRY.tick])
def test_every_system_says_in_the_end_how_far_it_has_reported(tmp_path: Path, tick: int):
    told, ledger, _ = played(tmp_path, tick)
    until = seen_until(told)
    for system in SYSTEMS:
        beats = [order.time for _, each, order in ledger.orders if each == system and order.type == HEARTBEAT]
        assert max(beats) == until(system, "DE01")
    assert until("fpna", "DE01") < told.ends - 2 * DAY, "nobody has read out FP&A for days"
    assert ledger.orders[-1][1] == "crm", "the last position must come after all the others"


def test_a_system_is_never_silent_for_longer_than_its_cadence(tmp_path: Path):
    told, ledger, _ = played(tmp_path)
    for system in SYSTEMS:
        if system != "fpna":
            heard = [told.begins, *sorted(now for now, each, _ in ledger.orders if each == system)]
            assert max(after - before for before, after in itertools.pairwise(heard)) <= 12 * HOUR
