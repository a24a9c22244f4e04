"""The stories of the shipped processes: where each case stands, as worked out by hand, in every order of arrival."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from ruamel.yaml import YAML

from lineage.definitions import load_definitions
from lineage.document import CaseDocument
from lineage.engine import Engine, Limits
from lineage.fact import CaseState
from lineage.places import Place
from lineage.process import StepKind
from lineage.read import CaseReader
from throughline.core.estate import load_estate
from throughline.core.event import Event, Failure, Relation, content_digest
from throughline.core.instants import DAY, HOUR, MINUTE, parse_instant

FOLDER = Path(__file__).parent
PACK = load_definitions(None)
ESTATE = load_estate(FOLDER)
LIMITS = Limits()
MONDAY = parse_instant("2026-03-02T00:00:00Z")
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Story(NamedTuple):
    """One story of a process, as its file writes it."""

    process: str
    name: str
    common: str
    written: dict[str, Any]


def stories() -> list[Story]:
    found: list[Story] = []
    for path in sorted(FOLDER.glob("*.yaml")):
        if path.name != "estate.yaml":
            content = YAML(typ="safe", pure=True).load(path)
            common = content.get("common", "")
            found += (Story(path.stem, name, common, told) for name, told in content["stories"].items())
    return found


STORIES = stories()


def named(story: Story) -> str:
    return f"{story.process}: {story.name}"


@pytest.mark.parametrize("order", ["as it happened", "backwards", "twice"])
@pytest.mark.parametrize("story", STORIES, ids=named)
def test_the_cases_stand_where_the_story_says(story: Story, order: str, tmp_path: Path) -> None:
    assert_told(story, order, tmp_path / "store.db")


@pytest.mark.needs("postgresql")
@pytest.mark.parametrize("story", STORIES, ids=named)
def test_on_postgresql_they_stand_there_too(story: Story, tables: Callable[[], Place]) -> None:
    assert_told(story, "backwards", tables())


def assert_told(story: Story, order: str, place: Place) -> None:
    now = instant(story.written["now"])
    events = [event_of(line, story.common, number) for number, line in enumerate(story.written["events"])]
    engine = Engine.open(place, PACK, ESTATE, LIMITS)
    for batch in batches(events, heartbeats(story.written.get("heard", {}), now), order):
        engine.fold(batch, now)
        engine.tick(now)
    shown = documents(place, story.process, now)
    stored = open_in_store(engine, story.process)
    engine.close()
    assert {name: look(each) for name, each in shown.items()} == {
        name: {**NOTHING_SAID, **said, "rounds": rounds_said(said)} for name, said in story.written["cases"].items()
    }
    assert stored == {name: look(each)["open"] for name, each in shown.items() if look(each)["open"]}


def test_every_shipped_process_has_its_stories() -> None:
    assert {story.process for story in STORIES} == set(PACK.processes)


@pytest.mark.parametrize("name", sorted(PACK.processes))
def test_every_ending_another_round_an_overdue_and_a_recovered_case_are_told(name: str) -> None:
    (version,) = PACK.processes[name].versions
    cases = [case for story in STORIES if story.process == name for case in story.written["cases"].values()]
    states = {case.get("state", "open") for case in cases}
    assert states >= {"done", *(f"ended {ending.ended_as}" for ending in version.ended_by)}
    assert any(each.startswith("overdue") for case in cases for each in case.get("open", ()))
    assert any(each.startswith("overdue") for case in cases for each in case.get("closed", ()))
    if version.new_round.after or version.new_round.each:
        assert any(len(rounds_said(case)) > 1 for case in cases)
    if any(step.amount_covers or len(step.systems) > 1 for step in version.steps):
        assert any(" partial" in text or " seen " in text for case in cases for text in rounds_said(case))
    for check in version.checks:
        assert any(each.startswith("policy_violation") for case in cases for each in case.get("open", ())), check.name
    seen = {step.partition(" ")[0] for case in cases for text in rounds_said(case) for step in text.split(" | ")}
    assert seen >= {step.name for step in version.steps if step.kind is not StepKind.TERMINAL_ERROR}


# --- what happens


def instant(text: str) -> int:
    day, clock = text.split()
    name, _, weeks = day.partition("+")
    hour, minute = clock.split(":")
    found = MONDAY + (DAYS.index(name) + 7 * int(weeks or 0)) * DAY + int(hour) * HOUR + int(minute) * MINUTE
    return found - 1 if hour == "24" else found


def event_of(line: str, common: str, number: int) -> Event:
    day, clock, system, kind, *written = line.split()
    fields: dict[str, Any] = dict(each.split("=", 1) for each in (*common.split(), *written))
    time = instant(f"{day} {clock}")
    category = fields.pop("failed", None)
    amounts = fields.pop("amounts", None)
    relations = fields.pop("relations", None)
    told = {name: fields.pop(name, None) for name in ("amount", "hours")}
    currency = fields.pop("currency", "EUR") if told["amount"] or amounts else None
    return made(
        source=f"/{system}",
        id=f"e{number}",
        type=kind,
        time=time,
        received=time + MINUTE,
        failed=category is not None,
        error=None if category is None else Failure(category),
        system=system,
        fields={name: value.split(",") if "," in value else value for name, value in fields.items()},
        amounts=None if amounts is None else dict(each.split(":") for each in amounts.split(",")),
        relations=[] if relations is None else [relation_of(each) for each in relations.split(",")],
        currency=currency,
        **told,
    )


def made(**values: Any) -> Event:
    """Return an event with the digest of its content."""
    whole = {"failed": False, "fields": {}, "relations": [], "digest": b"", **values}
    return Event(**{**whole, "digest": content_digest(Event(**whole))})


def relation_of(text: str) -> Relation:
    left, right = (end.split(":") for end in text.split(">"))
    return Relation(left[0], left[1], right[0], right[1])


def heartbeats(heard: dict[str, str], now: int) -> list[Event]:
    """Return a sign of life of each source, received when it was last heard of: events then come by its word."""
    found: list[Event] = []
    for source in ESTATE.sources:
        role = source.role.value
        at = instant(heard[role]) if role in heard else now
        found.append(made(source=source.source, id=f"beat {role}", type="source.heartbeat", time=at, received=at))
    return found


def batches(events: list[Event], beats: list[Event], order: str) -> list[list[Event]]:
    """Return what arrives, batch by batch: one event each, or all of them and then all again the other way round."""
    if order == "twice":
        return [[*events, *beats], [*beats, *reversed(events)]]
    whole = [[each] for each in (*events, *beats)]
    return whole[::-1] if order == "backwards" else whole


# --- where it stands


NOTHING_SAID: dict[str, Any] = {
    "state": "open",
    "open": [],
    "closed": [],
    "held": "nothing",
    "counted_in": [],
    "waits": "nothing",
    "expects": [],
}


def rounds_said(said: dict[str, Any]) -> list[str]:
    rounds = said["rounds"]
    return [rounds] if isinstance(rounds, str) else list(rounds)


def documents(place: Place, process: str, now: int) -> dict[str, CaseDocument]:
    """Return the documents of the cases of one process by name."""
    reader = CaseReader(place, PACK, ESTATE, LIMITS, lambda: now)
    try:
        with reader.snapshot() as snapshot:
            ids = [
                row[0]
                for row in snapshot.store.rows(
                    "SELECT id FROM cases WHERE process = ? AND state <> 'empty'", snapshot.process_ids[process]
                )
            ]
            found = [snapshot.document(view) for view in snapshot.views(ids).values()]
    finally:
        reader.close()
    return {name_of(each): each for each in found}


def name_of(document: CaseDocument) -> str:
    name = "@".join([document.name, *document.scope.values()])
    return f"{document.key_type}={name}" if document.state is CaseState.PROVISIONAL else name


def open_in_store(engine: Engine, process: str) -> dict[str, list[str]]:
    """Return the open deviations that ticks and folds have stored, by the name of the case."""
    number = engine.store.processes()[process]
    found: dict[str, list[str]] = {}
    for name, kind, step, of_round, since in engine.store.rows(
        "SELECT c.name, d.kind, d.step, d.round, d.since FROM deviation d JOIN cases c ON c.id = d.case_id"
        " WHERE c.process = ? ORDER BY d.since, d.round, d.kind, d.step",
        number,
    ):
        kind_of_key, *value = name.split("\x1f")
        text = "@".join(value)
        owner = text if kind_of_key == PACK.processes[process].name_key else f"{kind_of_key}={text}"
        found.setdefault(owner, []).append(deviation_text(kind, step, of_round, since))
    return found


def look(document: CaseDocument) -> dict[str, Any]:
    ended = f" {document.ended_as}" if document.ended_as else ""
    deviations = [
        (each.open, deviation_text(each.kind.value, each.step, each.round, parse_instant(each.since)))
        for each in document.deviations
    ]
    return {
        "state": f"{document.state.value}{ended}",
        "rounds": [" | ".join(filter(None, map(step_text, each.steps))) for each in document.rounds],
        "open": [text for is_open, text in deviations if is_open],
        "closed": [text for is_open, text in deviations if not is_open],
        "held": held_text(document.exposure),
        "counted_in": [f"{each.process} {'@'.join([each.name, *each.scope.values()])}" for each in document.counted_in],
        "waits": "nothing" if document.waits_for is None else waits_text(document.waits_for),
        "expects": [expects_text(each) for each in document.expects],
    }


def step_text(step: Any) -> str | None:
    seen = "" if step.first is None else words(step.first)
    if step.last != step.first:
        seen += f"..{words(step.last)}"
    if step.status.value == "done":
        return f"{step.step} {seen}"
    if step.status.value == "waiting" and not seen:
        return None
    return f"{step.step} {step.status.value}" + (f" seen {seen}" if seen else "")


def deviation_text(kind: str, step: str | None, of_round: int | None, since: int) -> str:
    return " ".join(
        [kind, *([step] if step else []), *([f"({of_round})"] if of_round else []), "since", words_of(since)]
    )


def held_text(held: Any) -> str:
    if held is None:
        return "unknown"
    document = {name: getattr(held, name) for name in ("amount", "currency", "hours")}
    if not any(isinstance(value, str) for value in document.values()):
        return "nothing"
    money = f"{held.currency} {held.amount}" if held.amount else "unknown"
    return f"{money}, {held.hours} h" if held.hours else money


def waits_text(waits: Any) -> str:
    due = "none" if waits.due is None else words(waits.due)
    return f"{waits.step} ({waits.round}) from {','.join(waits.systems)}, {waits.who.value}, due {due}"


def expects_text(found: Any) -> str:
    whose = "" if found.key is None else f" of {found.key.value}"
    who = f"{','.join(found.systems)}, {found.who.value}"
    return f"{found.expect} ({found.period}){whose} {found.status.value} from {who}, due {words(found.due)}"


def words(time: str) -> str:
    return words_of(parse_instant(time))


def words_of(time: int) -> str:
    """Write an instant as stories do; the last microsecond of a day is its end."""
    ends = (time + 1) % DAY == 0
    days, rest = divmod(time - MONDAY, DAY)
    minutes, left = divmod(rest + ends, MINUTE)
    assert left == 0, f"{time} is not on a minute"
    weeks, day = divmod(days, 7)
    return f"{DAYS[day]}{f'+{weeks}' if weeks else ''} {minutes // 60:02}:{minutes % 60:02}"
