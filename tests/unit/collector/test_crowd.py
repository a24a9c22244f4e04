"""Who gives way at a full door: who never asked, then who rests, then who is slow; never who is being answered."""

from __future__ import annotations

from typing import Any

from collector.crowd import WHILE_SECONDS, Crowd

LATER = WHILE_SECONDS + 1.0


def crowd(**doing: float) -> Crowd:
    """Return a crowd of connections by name: what each does, and since when, as in ``a_rests=3.0``."""
    made = Crowd()
    for words, since in doing.items():
        name, _, what = words.partition("_")
        connection: Any = name
        made.came(connection, 0.0)
        made.asks(connection, since)
        if what != "asks":
            made.left(connection)
        if what == "rests":
            made.rests(connection, since)
        if what == "came":
            made.came(connection, since)
    return made


def giving_way(made: Crowd, now: float) -> list[object]:
    """Return who gives way, one after the other, until nobody does."""
    found: list[object] = []
    while (connection := made.gives_way(now)) is not None:
        found.append(connection)
    return found


def test_who_never_asked_goes_first_and_the_longest_silent_of_these() -> None:
    assert giving_way(crowd(a_rests=0.0, b_came=1.0, c_came=2.0, d_asks=0.0), 2.0) == ["b", "c"]


def test_who_rests_or_is_slow_gives_way_after_a_while_only() -> None:
    assert giving_way(crowd(a_rests=0.0, b_asks=0.0), WHILE_SECONDS - 0.1) == []
    assert giving_way(crowd(a_asks=0.0, b_rests=0.5, c_rests=LATER), LATER) == ["b", "a"]


def test_who_is_being_answered_never_gives_way() -> None:
    assert giving_way(crowd(a_answered=0.0), 1_000.0) == []


def test_who_asks_again_is_no_longer_at_rest() -> None:
    made = crowd(a_rests=0.0)
    connection: Any = "a"
    made.asks(connection, LATER)
    assert giving_way(made, LATER + 1.0) == []
