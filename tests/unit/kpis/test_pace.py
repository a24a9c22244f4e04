"""How fast figures follow the fold."""

from __future__ import annotations

from kpis.pace import Pace, Sparing


def test_there_is_no_rest_while_nothing_waits_to_be_folded() -> None:
    pace = Pace()
    assert [pace.rest(0.5, folded, last) for folded, last in ((0, 0), (7, 7), (9, 9))] == [0.0, 0.0, 0.0]


def test_three_parts_of_four_are_left_to_a_fold_that_keeps_up() -> None:
    pace = Pace()
    assert pace.rest(0.5, 10, 12) == 1.5
    assert pace.rest(0.5, 12, 15) == 1.5, "all that waited before is folded"


def test_nine_parts_of_ten_are_left_to_a_fold_that_is_behind_until_it_has_caught_up() -> None:
    pace = Pace()
    assert pace.rest(0.5, 10, 100) == 1.5
    assert pace.rest(0.5, 60, 200) == 4.5
    assert pace.rest(0.5, 199, 210) == 4.5
    assert pace.rest(0.5, 210, 215) == 1.5
    assert pace.rest(0.5, 215, 215) == 0.0


def test_no_rest_is_long_however_long_the_work_took() -> None:
    pace = Pace()
    assert pace.rest(20.0, 10, 100) == 5.0
    assert pace.rest(20.0, 60, 200) == 5.0


def test_a_work_is_done_again_once_it_takes_no_more_than_its_part_of_the_time() -> None:
    sparing = Sparing()
    assert sparing.is_due(0.0, 100), "it was never done"
    sparing.note(10.0, 0.5)
    assert [sparing.is_due(at, 100) for at in (10.0, 59.9, 60.0)] == [False, False, True]
    assert sparing.is_due(20.0, 20)
