"""The picture of the demo's page: the page's words, and nothing loaded from elsewhere."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from decimal import Decimal
from html import unescape
from io import StringIO
from xml.etree import ElementTree

from rich.console import Console

from throughline.core.instants import parse_instant
from throughline.demo.screen import picture, show_page
from throughline.demo.stuck import Group

NOW = parse_instant("2026-11-07T00:00:00Z")
GROUP = Group(
    process="time-to-bill",
    place="between PSA and ERP",
    why="never arrived, and no error was reported",
    turn="system (finance-ops)",
    since=NOW,
    count=2,
    money={"EUR": Decimal(1125)},
)


def page(console: Console) -> None:
    show_page(console, NOW, Counter({"done": 3, "open": 2, "provisional": 1}), [GROUP])


def test_a_picture_says_what_the_page_says() -> None:
    words = unescape("".join(ElementTree.fromstring(picture(page)).itertext())).replace("\xa0", " ")
    assert "6 pieces of work watched: 3 through, 3 under way" in words
    assert "2 time entries in EMEA between PSA and ERP" in words
    assert "EUR 1,125" in words


def test_a_picture_loads_nothing_from_elsewhere() -> None:
    drawn = picture(page)
    assert "url(http" not in drawn
    assert "@font-face" not in drawn
    assert "href" not in drawn


def test_what_is_worth_less_than_the_first_dozen_becomes_one_sentence() -> None:
    pay = replace(GROUP, process="payroll-feed", money={"EUR": Decimal(10)})
    groups = [GROUP] * 12 + [pay, replace(pay, process="unheard-of", count=1)]
    said = printed(groups)
    assert said.count("between PSA and ERP") == 12
    assert "And less, about EUR 20 in all, where it is known: 2 pay items, 1 record." in said


def test_one_cause_that_holds_up_many_is_shown_whatever_it_is_worth() -> None:
    assert "9 time entries" in printed([GROUP] * 12 + [replace(GROUP, count=9, money={"EUR": Decimal(1)})])


def test_what_a_case_downstream_holds_up_as_well_counts_once_on_the_page() -> None:
    milestones = replace(GROUP, process="milestone-to-invoice", count=3, elsewhere=1, money={"EUR": Decimal(100)})
    said = printed([replace(GROUP, count=2), milestones, replace(milestones, count=1, money={})])
    assert "4 are held up, worth about EUR 1,225" in said
    assert "EUR 100 + 1 counted further on" in said
    assert "unknown" not in said
    little = replace(milestones, count=1, money={"EUR": Decimal(10)}, elsewhere=0)
    said = printed([GROUP] * 12 + [little, replace(little, money={}, elsewhere=1)])
    assert "And less, about EUR 10 in all, where it is known: 1 milestone." in said


def printed(groups: list[Group]) -> str:
    console = Console(file=StringIO(), width=200)
    show_page(console, NOW, Counter(), groups)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()
