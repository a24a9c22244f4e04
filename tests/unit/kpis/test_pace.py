"""How fast figures follow the fold."""

from __future__ import annotations

from kpis.pace import Pace, Rereading, Sparing


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


ALL_SEEN, ONE_SILENT = ([], []), (["/psa"], [])


def made(behind: int = 0) -> Rereading:
    """Return what knows that readings were made at 100, by a second of work, of all that there was then."""
    rereading = Rereading()
    assert rereading.is_due(0.0, behind, ALL_SEEN), "there are none"
    rereading.begin(behind, ALL_SEEN)
    rereading.note(100.0, 1.0)
    return rereading


def dues(rereading: Rereading, behind: int = 0, blind: tuple[list[str], list[str]] = ALL_SEEN) -> list[bool]:
    return [rereading.is_due(100.0 + each, behind, blind) for each in (4, 5, 19, 20, 599, 600)]


def test_readings_are_seldom_made_again_while_nothing_changes() -> None:
    assert dues(made()) == [False, False, False, False, False, True]
    assert dues(made(behind=1_000), behind=5) == [False, False, False, False, False, True]


def test_readings_are_made_again_soon_as_a_case_changed_or_a_source_fell_silent() -> None:
    rereading = made()
    rereading.note_change()
    assert dues(rereading) == [False, False, False, True, True, True]
    assert dues(made(), blind=ONE_SILENT) == [False, False, False, True, True, True]


def test_a_change_while_readings_are_made_is_not_forgotten() -> None:
    rereading = Rereading()
    rereading.begin(0, ALL_SEEN)
    rereading.note_change()
    rereading.note(100.0, 1.0)
    assert dues(rereading) == [False, False, False, True, True, True]


def test_readings_of_part_of_the_cases_are_made_again_as_soon_as_all_are_counted() -> None:
    assert dues(made(behind=1_001), behind=1_000) == [False, True, True, True, True, True]
    assert dues(made(behind=1_001), behind=1_001) == [False, False, False, False, False, True]
