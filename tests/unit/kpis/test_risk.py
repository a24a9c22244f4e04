"""The chance that open work misses its deadline is that of others like it, and how good it was is told."""

from __future__ import annotations

from random import Random

import msgspec
import pytest

from kpis.behind import Behind
from kpis.declaration import Dimension
from kpis.observation import Ending, Observation
from kpis.risk import FEWEST_LEARNT, JUDGED_DAYS, Chance, Learnt, calibrated
from tests.unit.kpis.test_cells import MONDAY, observation
from throughline.core.instants import DAY, HOUR, MICROSECONDS

NOW = MONDAY + JUDGED_DAYS * DAY


def seen(each: Observation, seconds: int | None = None, seen_to: int = NOW) -> Behind:
    """Return a wait that was watched for so long, by sources that have told up to then."""
    age = each.seconds if seconds is None else seconds
    return Behind(1, each, age, None, age, seen_to)


# Of forty, half take an hour and half take three.
HALF = [seen(observation(n, Ending.DONE, 3_600 if n % 2 else 3 * 3_600)) for n in range(40)]
OPEN = observation(0, Ending.OPEN)


def test_the_chance_is_the_share_of_those_that_were_open_at_that_age_and_still_are_when_it_is_due() -> None:
    learnt = Learnt(HALF)
    assert learnt.chance(OPEN, 0, 2 * 3_600) == Chance(0.5, 40)
    assert learnt.chance(OPEN, 3_700, 2 * 3_600) == Chance(1.0, 40)  # who is open after an hour takes three
    assert learnt.chance(OPEN, 0, 3 * 3_600 + 1) == Chance(0.0, 40)
    assert learnt.chance(OPEN, 7_200, 3_600) == Chance(1.0, 0)  # it has missed it


def test_unfinished_work_counts_as_lasting_longer_than_it_has() -> None:
    still = [seen(observation(n, Ending.OPEN), 1_800) for n in range(40)]
    assert Learnt([*HALF, *still]).chance(OPEN, 0, 2 * 3_600) == Chance(0.5, 80)


def test_what_ended_otherwise_is_open_no_longer() -> None:
    ended = [seen(observation(n, Ending.COMPETING, 60)) for n in range(40)]
    assert Learnt([*HALF, *ended]).chance(OPEN, 0, 2 * 3_600) == Chance(0.25, 80)


def test_of_what_too_few_like_it_were_seen_nothing_is_said() -> None:
    few = Learnt(HALF[: FEWEST_LEARNT - 1])
    assert few.chance(OPEN, 0, 3_600) is None
    assert few.chance(OPEN, 0, 10**9) is None
    unlike = msgspec.structs.replace(OPEN, dimensions={**OPEN.dimensions, Dimension.PROCESS: "another"})
    assert Learnt(HALF).chance(unlike, 0, 7_200) is None


def test_nothing_is_learnt_of_what_nobody_has_seen_last_at_all() -> None:
    unwatched = [seen(observation(n, Ending.OPEN), 0) for n in range(40)]
    assert Learnt([*HALF[: FEWEST_LEARNT - 1], *unwatched]).chance(OPEN, 0, 3_600) is None
    assert Learnt([*HALF, *unwatched]).chance(OPEN, 0, 2 * 3_600) == Chance(0.5, 40)


def test_others_of_all_regions_tell_where_a_region_has_too_few() -> None:
    apart = msgspec.structs.replace(OPEN, dimensions={**OPEN.dimensions, Dimension.REGION: "APAC"})
    assert Learnt(HALF).chance(apart, 0, 7_200) == Chance(0.5, 40)


def test_beyond_what_anybody_was_watched_for_nothing_is_said() -> None:
    still = [seen(observation(n, Ending.OPEN), 1_800) for n in range(40)]
    assert Learnt(still).chance(OPEN, 0, 3_600) is None


def test_chances_are_held_against_what_happened_by_what_was_known_before() -> None:
    chance = Random(3)

    def lasting(day: int) -> Behind:
        """Return a wait that began on a day and is due after two hours: one in four takes longer."""
        late = chance.random() < 0.25
        began = day * 86_400 + chance.randrange(40_000)
        return seen(observation(began, Ending.DONE, 3 * 3_600 if late else 3_600, due_age=2 * 3_600))

    before, lately = [lasting(-day) for day in range(1, 60) for _ in range(5)], [lasting(day) for day in range(1, 28)]
    (only,) = calibrated([*before, *lately], NOW)
    assert (only.low, only.high, only.waits) == (0.2, pytest.approx(0.3), len(lately))
    assert only.said == pytest.approx(sum((each.seconds or 0) > 7_200 for each in before) / len(before))
    assert only.missed == sum((each.seconds or 0) > 7_200 for each in lately) / len(lately)
    assert only.interval.low < only.missed < only.interval.high


def test_what_is_not_decided_yet_judges_no_chance() -> None:
    waiting = observation(29 * 86_400, Ending.OPEN, due_age=10 * 86_400)
    assert calibrated([*HALF, seen(waiting, 3_600)], MONDAY + 30 * DAY) == []
    overdue = msgspec.structs.replace(waiting, due=MONDAY + 29 * DAY + HOUR, due_age=3_600)
    earlier = [
        seen(msgspec.structs.replace(each.observation, began=MONDAY - 10 * DAY + n * MICROSECONDS))
        for n, each in enumerate(HALF)
    ]
    (only,) = calibrated([*earlier, seen(overdue, 86_400)], MONDAY + 30 * DAY)
    assert (only.waits, only.missed) == (1, 1.0)
    # Its sources have told nothing since before it was due: it may have been done.
    assert calibrated([*earlier, seen(overdue, 600, MONDAY + 29 * DAY)], MONDAY + 30 * DAY) == []
