"""Reads the golden cases of tests/cases/identity: events in a short notation, and the outcome written out by hand.

The notation is explained in tests/cases/identity/README.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.identity_model.declaration import Declaration
from tests.identity_model.four_processes import FOUR_PROCESSES
from tests.identity_model.model import Outcome
from throughline.core.event import Event, Failure, Relation, content_digest
from throughline.core.instants import HOUR, MINUTE, parse_instant
from throughline.core.key import Key
from throughline.core.statement import End, EventRef, Statement, Verb

FOLDER = Path(__file__).parent.parent / "cases" / "identity"
START = parse_instant("2026-03-02T08:00:00Z")  # a Monday
NOT_FIELDS = {"type", "id", "source", "at", "received", "outcome", "relations", "trace", "amount", "hours", "system"}


@dataclass(frozen=True)
class GoldenCase:
    """One case: what is given, the ``expected`` outcome, and ``derived``, what full documents are checked for.

    ``derived`` is process → case text → the words of the case's notation that say more than identity does.
    """

    name: str
    says: str
    declaration: Declaration
    events: dict[str, Event]
    statements: list[Statement]
    now: int
    expected: Outcome
    derived: dict[str, dict[str, dict[str, Any]]]


DERIVED = ("rounds", "deviations", "state", "shown_by_trace", "set_aside", "amount")


def golden_paths() -> list[Path]:
    """Return the files of all golden cases, in order of name."""
    return sorted(FOLDER.glob("*.yaml"))


def load(path: Path) -> GoldenCase:
    """Read one golden case."""
    written = YAML(typ="safe", pure=True).load(path)
    declaration = _declaration(written)
    events = {
        label: _event(label, {**written.get("common", {}), **content}, index)
        for index, (label, content) in enumerate(written["events"].items())
    }
    return GoldenCase(
        name=path.stem,
        says=written["says"],
        declaration=declaration,
        events=events,
        statements=[
            _statement(each, number, events, declaration)
            for number, each in enumerate(written.get("statements", []), 1)
        ],
        now=START + written.get("now", 24) * HOUR,
        expected=_outcome(written["expected"], events, declaration),
        derived=_derived(written["expected"], declaration),
    )


def _declaration(written: dict[str, Any]) -> Declaration:
    """Take the processes named, with what the case changes in them under ``declare``."""
    changes = written.get("declare", {})
    processes = []
    for process in FOUR_PROCESSES.processes:
        if process.name in written["processes"]:
            changed = {key: _frozen(key, value) for key, value in changes.get(process.name, {}).items()}
            processes.append(replace(process, **changed))
    return replace(FOUR_PROCESSES, processes=tuple(processes), bulk_limit=written.get("bulk_limit", 50_000))


def _frozen(name: str, value: Any) -> Any:
    if name == "passes":
        return frozenset((pair[0], pair[1]) for pair in value)
    return tuple(value)


def _event(label: str, content: dict[str, Any], index: int) -> Event:
    at = START + int(content.get("at", index) * HOUR)
    fields = {name: value for name, value in content.items() if name not in NOT_FIELDS}
    event = Event(
        source=content.get("source", "/psa"),
        id=content.get("id", label),
        type=content["type"],
        time=at,
        received=START + content["received"] * HOUR if "received" in content else at + MINUTE,
        digest=b"",
        failed=content.get("outcome") == "failure",
        fields=fields,
        relations=[_relation(text) for text in content.get("relations", [])],
        amount=content.get("amount"),
        currency="EUR" if "amount" in content else None,
        hours=content.get("hours"),
        error=Failure() if content.get("outcome") == "failure" else None,
        system=content.get("system"),
        trace_id=content.get("trace"),
    )
    return _with_digest(event)


def _with_digest(event: Event) -> Event:
    values = {name: getattr(event, name) for name in Event.__struct_fields__}
    return Event(**{**values, "digest": content_digest(event)})


def _relation(text: str) -> Relation:
    """Read ``invoice=I1 -> invoice=I2``; an end may give its scope: ``invoice=I1@DE01``."""
    (from_type, from_value, from_scope), (to_type, to_value, to_scope) = map(_end, text.split(" -> "))
    return Relation(from_type, from_value, to_type, to_value, None, from_scope or None, to_scope or None)


def _end(text: str) -> tuple[str, str, dict[str, str]]:
    key_type, _, rest = text.partition("=")
    value, _, scope = rest.partition("@")
    names = FOUR_PROCESSES.key_type(key_type).scope
    return key_type, value, dict(zip(names, scope.split("@"), strict=True)) if scope else {}


def _statement(written: dict[str, Any], number: int, events: dict[str, Event], declaration: Declaration) -> Statement:
    a, b = (End(*_end(text)) for text in written["pair"])
    return Statement(
        verb=Verb(written["verb"]),
        a=a,
        b=b,
        all=written.get("all", False),
        events=tuple(EventRef(events[label].source, events[label].id) for label in written.get("events", [])),
        by=written.get("by", "ana"),
        authenticated=False,
        why=written.get("why", ""),
        process=written.get("process"),
        number=number,
        id=f"s{number}",
        at=START + written.get("at", number) * HOUR,
    )


def _outcome(written: dict[str, Any], events: dict[str, Event], declaration: Declaration) -> Outcome:
    found: Outcome = {}
    for process in declaration.processes:
        said = written.get(process.name) or {}
        found[process.name] = {
            "cases": {
                _key(name, process.name_key): _case(case or {}, events)
                for name, case in (said.get("cases") or {}).items()
            },
            "waiting": {_key(text): sorted(_ids(ids, events)) for text, ids in (said.get("waiting") or {}).items()},
        }
    for name in ("placeholders", "lacking_scope", "ambiguous"):
        found[name] = written.get(name, {})
    found["orphan_values"] = sorted(_key(text) for text in written.get("orphans", []))
    return found


def _case(written: dict[str, Any], events: dict[str, Event]) -> dict[str, Any]:
    return {
        "provisional": written.get("provisional", False),
        "conflict": written.get("conflict", False),
        "members": {_id(label, events): role for label, role in written.get("members", {}).items()},
        "denied": sorted(_ids(written.get("denied", []), events)),
        **{role: sorted(_key(text) for text in written.get(role, [])) for role in ("aliases", "carriers", "relations")},
    }


def _derived(written: dict[str, Any], declaration: Declaration) -> dict[str, dict[str, dict[str, Any]]]:
    return {
        process.name: {
            _key(name, process.name_key): {word: case[word] for word in DERIVED if word in case}
            for name, case in ((written.get(process.name) or {}).get("cases") or {}).items()
        }
        for process in declaration.processes
    }


def _key(text: str, name_key: str | None = None) -> str:
    """Return the encoded key of ``type=value@scope``; ``value`` alone is a name."""
    if "=" not in text and name_key is not None:
        text = f"{name_key}={text}"
    key_type, value, scope = _end(text)
    return Key(key_type, value, tuple(scope.values())).encode()


def _ids(labels: list[str], events: dict[str, Event]) -> list[tuple[str, str]]:
    return [_id(label, events) for label in labels]


def _id(label: str, events: dict[str, Event]) -> tuple[str, str]:
    return (events[label].source, events[label].id)
