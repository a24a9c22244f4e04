"""Followed: money that is held up in several processes counts in the case downstream, whichever way events came."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from itertools import permutations
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lineage.definitions import load_definitions
from lineage.followed import MOST_TOGETHER
from lineage.process import Definitions
from tests.guarantees.firm import happened
from tests.guarantees.story import Story
from throughline.core.event import Event
from throughline.core.instants import MINUTE, parse_instant
from throughline.core.statement import End, Statement, Verb

NOW = "2026-03-03T09:00:00Z"
AT = parse_instant("2026-03-02T09:00:00Z")
PROCESS = """
process: {name}
title: The life of a {name}
keys: {{name: {name}, carriers: {carriers}}}
follows: {follows}
steps:
  - {{step: opened, kind: initial, types: [{name}.opened], system: psa}}
  - {{step: closed, kind: terminal, types: [{name}.closed]}}
"""


@pytest.fixture(scope="module")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> Definitions:
    """A sheet has entries, and a bill has some of these; each goes on with the work of the one before."""
    folder = tmp_path_factory.mktemp("definitions")
    (folder / "keys.yaml").write_text("keys: {sheet: {}, entry: {}, bill: {}}\n")
    for name, carriers, follows in (
        ("sheet", "[]", "[]"),
        ("entry", "[sheet, bill]", "{process: sheet, by: sheet}"),
        ("bill", "[]", "{process: entry, by: bill}"),
    ):
        (folder / f"{name}.yaml").write_text(PROCESS.format(name=name, carriers=carriers, follows=follows))
    return load_definitions(folder)


@pytest.fixture
def story(tmp_path: Path, definitions: Definitions) -> Iterator[Story]:
    told = Story(tmp_path / "store.db", definitions=definitions)
    told.at(NOW)
    yield told
    told.close()


def opened(kind: str, name: str, amount: str | None = "100", **more: Any) -> Event:
    worth = {} if amount is None else {"amount": amount, "currency": "EUR"}
    synthetic = {"synthetic": True} if more.pop("synthetic", False) else {}
    return happened(f"o {name}", f"{kind}.opened", AT, more=worth | synthetic, **{kind: name}, **more)


def failed(kind: str, name: str) -> Event:
    return happened(f"f {name}", f"{kind}.closed", AT + MINUTE, failed="timeout", **{kind: name})


def closed(kind: str, name: str) -> Event:
    return happened(f"c {name}", f"{kind}.closed", AT + 2 * MINUTE, **{kind: name})


def counted(story: Story) -> dict[str, list[str]]:
    """Return where each case's money is counted, as its document and its line both say, by process and name."""
    found: dict[str, list[str]] = {}
    for line in story.lines():
        document = story.document(line["name"], line["process"])
        assert line["counted_in"] == document["counted_in"]
        cases = [f"{each['process']} {each['name']}" for each in document["counted_in"]]
        found[f"{line['process']} {line['name']}"] = cases
    return found


def in_sum(story: Story) -> Decimal:
    return sum(
        (Decimal(line["exposure"]["amount"]) for line in story.lines() if line["exposure"] and not line["counted_in"]),
        Decimal(0),
    )


def test_what_is_held_up_in_two_processes_counts_in_the_one_downstream(story: Story) -> None:
    story.tell(opened("sheet", "S1"), failed("sheet", "S1"))
    story.tell(opened("entry", "E1", sheet="S1"), failed("entry", "E1"))
    assert counted(story) == {"sheet S1": ["entry E1"], "entry E1": []}
    assert in_sum(story) == 100
    assert story.document("S1", "sheet")["exposure"]["amount"] == "100"  # the record itself shows what it holds up


def test_it_counts_upstream_again_once_nothing_downstream_holds_it_up(story: Story) -> None:
    story.tell(opened("sheet", "S1"), failed("sheet", "S1"))
    story.tell(opened("entry", "E1", sheet="S1"), failed("entry", "E1"))
    story.tell(closed("entry", "E1"))
    assert counted(story) == {"sheet S1": [], "entry E1": []}
    assert in_sum(story) == 100


def test_an_open_case_downstream_that_holds_nothing_up_takes_no_money_over(story: Story) -> None:
    story.tell(opened("sheet", "S1"), failed("sheet", "S1"), opened("entry", "E1", sheet="S1"))
    assert counted(story)["sheet S1"] == []


def test_what_only_some_cases_downstream_hold_up_counts_with_these(story: Story) -> None:
    story.tell(opened("sheet", "S1"), failed("sheet", "S1"))
    story.tell(opened("entry", "E1", "40", sheet="S1"), failed("entry", "E1"))
    story.tell(opened("entry", "E2", "35", sheet="S1"), failed("entry", "E2"), opened("entry", "E3", "25", sheet="S1"))
    assert counted(story)["sheet S1"] == ["entry E1", "entry E2"]
    assert in_sum(story) == 75


def test_it_counts_in_the_most_downstream_case_also_past_one_that_holds_nothing_up(story: Story) -> None:
    story.tell(opened("sheet", "S1"), failed("sheet", "S1"))
    story.tell(opened("entry", "E1", sheet="S1", bill="B1"))
    story.tell(opened("bill", "B1"), failed("bill", "B1"))
    assert counted(story) == {"sheet S1": ["bill B1"], "entry E1": [], "bill B1": []}
    story.tell(failed("entry", "E1"))
    assert counted(story) == {"sheet S1": ["bill B1"], "entry E1": ["bill B1"], "bill B1": []}
    assert in_sum(story) == 100


def test_a_known_amount_is_not_given_up_for_an_unknown_one(story: Story) -> None:
    story.tell(opened("sheet", "S1"), failed("sheet", "S1"), opened("sheet", "S2", None), failed("sheet", "S2"))
    for number in (1, 2):
        story.tell(opened("entry", f"E{number}", None, sheet=f"S{number}"), failed("entry", f"E{number}"))
    assert counted(story) == {"sheet S1": [], "sheet S2": ["entry E2"], "entry E1": [], "entry E2": []}


def test_synthetic_traffic_takes_no_money_over(story: Story) -> None:
    story.tell(opened("sheet", "S1"), failed("sheet", "S1"))
    story.tell(opened("entry", "E1", sheet="S1", synthetic=True), failed("entry", "E1"))
    assert counted(story)["sheet S1"] == []


def test_a_wrong_link_that_is_undone_takes_the_money_back(story: Story) -> None:
    story.tell(opened("sheet", "S1"), failed("sheet", "S1"))
    story.tell(opened("entry", "E1", sheet="S1"), failed("entry", "E1"))
    for number, verb in enumerate((Verb.UNLINK, Verb.LINK), start=1):
        story.state(
            Statement(
                verb=verb,
                a=End("entry", "E1"),
                b=End("sheet", "S1"),
                all=True,
                events=(),
                process=None,
                why="not its sheet",
                by="ana",
                authenticated=True,
                number=number,
                id=f"s{number}",
                at=parse_instant(NOW) + number,
            )
        )
        assert counted(story)["sheet S1"] == ([] if verb is Verb.UNLINK else ["entry E1"])


def test_a_key_that_very_many_cases_share_makes_no_one_piece_of_work_of_them(story: Story) -> None:
    story.tell(opened("sheet", "S1"), failed("sheet", "S1"), failed("entry", "E1"))
    story.tell(*(opened("entry", f"E{number}", "1", sheet="S1") for number in range(1, MOST_TOGETHER + 1)))
    assert story.line("S1", "sheet")["counted_in"] != []
    story.tell(opened("entry", "one more", "1", sheet="S1"))
    assert story.line("S1", "sheet")["counted_in"] == []
    assert story.document("S1", "sheet")["counted_in"] == []


# --- any story, against what the documents themselves say of their keys

SHEETS, ENTRIES, BILLS = ("S1", "S2"), ("E1", "E2", "E3"), ("B1", "B2")
AMOUNTS = st.sampled_from(["40", "60", None])
TOLD = st.lists(
    st.one_of(
        st.builds(lambda name, amount: opened("sheet", name, amount), st.sampled_from(SHEETS), AMOUNTS),
        st.builds(
            lambda name, amount, sheet, bill: opened("entry", name, amount, sheet=sheet, bill=bill),
            st.sampled_from(ENTRIES),
            AMOUNTS,
            st.sampled_from([*SHEETS, "n/a", ["S1", "S2"]]),
            st.sampled_from([*BILLS, "n/a"]),
        ),
        st.builds(lambda name, amount: opened("bill", name, amount), st.sampled_from(BILLS), AMOUNTS),
        st.builds(
            lambda what, named: what(named[0], named[1]),
            st.sampled_from([failed, failed, closed]),
            st.sampled_from([("sheet", name) for name in SHEETS] + [("entry", name) for name in ENTRIES])
            | st.sampled_from([("bill", name) for name in BILLS]),
        ),
    ),
    max_size=16,
)


def expected(documents: dict[str, dict[str, Any]]) -> dict[str, list[str]]:
    """Return where each case's money counts, from the keys and exposures of the documents alone."""
    following = {"sheet": "entry", "entry": "bill"}

    def beyond(case: str, known: bool) -> set[str]:
        of_process = documents[case]["process"]
        follower, by = following.get(of_process), {"sheet": "sheet", "entry": "bill"}.get(of_process)
        found: set[str] = set()
        for name, each in documents.items():
            if each["process"] != follower or not values(documents[case], by) & values(each, by):
                continue
            holds = each["state"] == "open" and each["exposure"] != {}
            knows = holds and each["exposure"] is not None
            farther = beyond(name, known or knows)
            found |= farther or ({name} if holds and (knows or not known) else set())
        return found

    return {
        name: sorted(beyond(name, each["exposure"] is not None))
        if each["state"] == "open" and each["exposure"] != {}
        else []
        for name, each in documents.items()
    }


def values(document: dict[str, Any], kind: str | None) -> set[str]:
    keys = [*document["keys"]["name"], *document["keys"]["carriers"]]
    return {key["value"] for key in keys if key["type"] == kind}


@given(events=TOLD, batches=st.integers(1, 4), seed=st.integers())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_story_counts_as_its_documents_say_in_every_order(
    definitions: Definitions, tmp_path: Path, events: list[Event], batches: int, seed: int
) -> None:
    shown: list[dict[str, list[str]]] = []
    for number, order in enumerate((events, Random(seed).sample(events, len(events)))):
        path = tmp_path / f"{number}.db"
        path.unlink(missing_ok=True)
        story = Story(path, definitions=definitions)
        story.at(NOW)
        for start in range(batches):
            story.tell(*order[start::batches])
        shown.append(counted(story))
        lines = story.lines()
        documents = {
            f"{each['process']} {each['name']}": story.document(each["name"], each["process"]) for each in lines
        }
        assert shown[-1] == expected(documents)
        story.close()
        for beside in path.parent.glob(f"{number}.db*"):
            beside.unlink()
    assert shown[0] == shown[1]


def test_the_order_of_events_is_nothing(tmp_path: Path, definitions: Definitions) -> None:
    events = [
        opened("sheet", "S1"),
        failed("sheet", "S1"),
        opened("entry", "E1", sheet="S1", bill="B1"),
        failed("entry", "E1"),
        opened("bill", "B1"),
        failed("bill", "B1"),
    ]
    found: list[dict[str, list[str]]] = []
    for number, order in enumerate(list(permutations(events))[::31]):
        told = Story(tmp_path / f"{number}.db", definitions=definitions)
        told.at(NOW)
        for each in order:
            told.tell(each)
        found.append(counted(told))
        told.close()
    assert len(found) > 20
    assert all(each == {"sheet S1": ["bill B1"], "entry E1": ["bill B1"], "bill B1": []} for each in found)
