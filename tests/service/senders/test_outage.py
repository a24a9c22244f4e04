"""Official senders meet an outage: Throughline stops, they go on, it starts again; nothing is lost or counts twice."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from tests.service.senders.installs import NotInstalled, installed, lacking
from tests.service.senders.outage import Account, Outcome, endure
from tests.service.senders.programs import NOTHING, SENDERS, TOOL_CHAINS, Sender

pytestmark = pytest.mark.serial

LASTING = [sender for sender in SENDERS if sender.outlasts != NOTHING]
GIVING_UP = [sender for sender in SENDERS if sender.outlasts == NOTHING]


class Endured(NamedTuple):
    """What came of the outages, and why some senders took no part."""

    outcome: Outcome
    lacking: dict[str, NotInstalled]

    def account(self, sender: Sender) -> Account:
        if sender.tool in self.lacking:
            lacking(sender.tool, self.lacking[sender.tool])
        return self.outcome.accounts[sender.name]


@pytest.fixture(scope="module")
def endured(tmp_path_factory: pytest.TempPathFactory) -> Endured:
    """One outage after another for all senders at once: each would take its time alone."""
    folders: dict[str, Path] = {}
    reasons: dict[str, NotInstalled] = {}
    for tool in TOOL_CHAINS:
        try:
            folders[tool] = installed(tool)
        except NotInstalled as reason:
            reasons[tool] = reason
    senders = [sender for sender in SENDERS if sender.tool not in reasons]
    return Endured(endure(tmp_path_factory.mktemp("senders"), senders, folders), reasons)


def each(senders: list[Sender]) -> list[object]:
    return [
        pytest.param(sender, id=sender.name, marks=[pytest.mark.needs(sender.tool)] if sender.tool else [])
        for sender in senders
    ]


@pytest.mark.parametrize("sender", each(LASTING))
def test_nothing_is_lost_in_an_outage_and_nothing_counts_twice(endured: Endured, sender: Sender) -> None:
    account, outcome = endured.account(sender), endured.outcome
    assert account.code == 0, account.said
    assert {entry: outcome.events[sender.source, entry] for entry in account.certain()} == dict.fromkeys(
        account.certain(), 1
    )
    assert {entry: outcome.cases[entry] for entry in account.certain()} == dict.fromkeys(account.certain(), 1)
    assert all(outcome.events[sender.source, entry] <= 1 for entry in account.all())
    if min(outcome.outages) > sender.outlasts:
        pytest.skip(f"needs an outage of {sender.outlasts} s, and Throughline was away for {outcome.outages} s here")


@pytest.mark.parametrize("sender", each(GIVING_UP))
def test_who_gives_up_at_once_loses_what_the_page_says_and_nothing_else(endured: Endured, sender: Sender) -> None:
    account, outcome = endured.account(sender), endured.outcome
    assert {entry: outcome.events[sender.source, entry] for entry in account.certain()} == dict.fromkeys(
        account.certain(), 1
    )
    meanwhile = [outcome.events[sender.source, entry] for told in account.told for entry in told.meanwhile]
    assert max(meanwhile) <= 1
    assert 0 in meanwhile, "it outlasts an outage by now: say so on the page of senders"


def test_no_event_is_there_that_nobody_sent(endured: Endured) -> None:
    told = {(account.sender.source, entry) for account in endured.outcome.accounts.values() for entry in account.all()}
    assert set(endured.outcome.events) <= told
