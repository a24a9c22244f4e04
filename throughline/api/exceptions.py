"""Statements about exceptions: ``accept`` and ``withdraw``, checked against the case as it stands now."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from lineage.acceptance import ref_of
from lineage.api import find_case
from lineage.fact import Deviation, DeviationKind
from lineage.process import Definitions, Process
from lineage.read import CaseReader, CaseView, Snapshot
from throughline.api.access import Asker
from throughline.api.body import invalid
from throughline.core.faults import show
from throughline.core.statement import AcceptedAs, Draft, End, Verb

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1024)]


class ExceptionAsked(BaseModel):
    """What a person states about exceptions of a case: those that fit ``deviation``, ``step`` and ``round``.

    ``all``: every one. ``case`` has one key (type: value), the name of the case; further members are its scope.
    """

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    verb: Literal["accept", "withdraw"]
    process: Text
    case: dict[str, Text]
    accepted_as: Annotated[AcceptedAs | None, Field(alias="as")] = None
    all: bool = False
    deviation: DeviationKind | None = None
    step: Text | None = None
    round: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    by: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)] | None = None
    why: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]


def exception_draft(asked: ExceptionAsked, definitions: Definitions, asker: Asker, cases: CaseReader) -> Draft:
    """Return what to record, with each deviation that it is about as it stands now.

    Raises Problem, saying what was seen and wanted, where there is no such case, or nothing to accept or withdraw.
    """
    _check(asked)
    by = asker.name or asked.by
    if by is None:
        raise invalid("by", "nothing", "who states this")
    process = definitions.processes.get(asked.process)
    if process is None:
        raise invalid("process", show(asked.process), f"one of {', '.join(sorted(definitions.processes))}")
    with cases.snapshot() as snapshot:
        view = _case(snapshot, process, asked.case)
        deviations = tuple(map(ref_of, _wanted(asked, view)))
        end = End(view.key.type, view.key.value, snapshot.scope(view.key))
    return Draft(
        verb=Verb(asked.verb),
        a=end,
        b=None,
        all=asked.all,
        events=(),
        by=by,
        authenticated=asker.authenticated,
        why=asked.why,
        process=process.name,
        accepted_as=asked.accepted_as,
        deviations=deviations,
    )


def _check(asked: ExceptionAsked) -> None:
    ways = ", ".join(way.value for way in AcceptedAs)
    if asked.verb == Verb.ACCEPT and asked.accepted_as is None:
        raise invalid("as", "nothing", f"one of {ways}")
    if asked.verb == Verb.WITHDRAW and asked.accepted_as is not None:
        raise invalid("as", show(asked.accepted_as.value), "none: what is withdrawn is no longer accepted as anything")
    if not asked.all and asked.deviation is None and asked.step is None and asked.round is None:
        raise invalid("all", "no exception named", "`deviation`, `step` or `round`, or `all`: true for every one")


def _case(snapshot: Snapshot, process: Process, members: dict[str, str]) -> CaseView:
    """Return the case that a key names, with as much of its scope as was given."""
    kinds = [kind for kind in (process.name_key, *process.aliases) if kind in members]
    if len(kinds) != 1:
        wanted = f"one key, {process.name_key} or an alias of a provisional case, with its scope"
        raise invalid("case", ", ".join(map(show, members)) or "nothing", wanted)
    scope = {name: value for name, value in members.items() if name != kinds[0]}
    return find_case(snapshot, process.name, members[kinds[0]], scope, kinds[0])


def _wanted(asked: ExceptionAsked, view: CaseView) -> list[Deviation]:
    accepting = asked.verb == Verb.ACCEPT
    there = [each for each in view.derived.deviations if (each.open if accepting else each.accepted is not None)]
    found = [each for each in there if _fits(asked, each)]
    if not found:
        word = "open" if accepting else "accepted"
        seen = f"no {word} deviation of {view.key.value} that fits"
        raise invalid("deviation", seen, f"one of those that are {word}: {_named(there)}")
    return found


def _fits(asked: ExceptionAsked, found: Deviation) -> bool:
    return (
        asked.deviation in (None, found.kind)
        and asked.step in (None, found.step)
        and asked.round in (None, found.round)
    )


def _named(deviations: Iterable[Deviation]) -> str:
    names = [f"{each.kind.value}{f' at {each.step}' if each.step else ''}" for each in deviations]
    return ", ".join(names) or "there is none"
