"""What is wrong with process files and key types that are each well-formed: every fault, with its place."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, cast

from lineage.process import ERROR_KINDS, StepKind
from lineage.process_file import (
    EVENT_TYPE,
    FIELD,
    PROCESS,
    STEP,
    Course,
    DueForm,
    ExpectForm,
    KeysFile,
    NewRoundForm,
    ProcessFile,
    StepForm,
    VersionForm,
)
from throughline.core.calendar import parse_duration
from throughline.core.errors import Fault
from throughline.core.expressions import compile_condition
from throughline.core.faults import Location, show
from throughline.core.forms import Examined, nearest
from throughline.core.instants import parse_instant

RESERVED_TYPES = "throughline."
HEARTBEAT = "source.heartbeat"
# Entries of ``data`` that an event reads as something else, so that no key is ever found under them.
NO_KEYS = frozenset(
    {
        "amount",
        "amounts",
        "currency",
        "error",
        "flow",
        "hours",
        "instance",
        "outcome",
        "relations",
        "synthetic",
        "system",
    }
)
COURSE_ENTRIES = ("applies_when", "steps", "new_round", "ended_by", "checks", "expects")


def parse_effective(text: str) -> int:
    """Read ``effective_from``: a date (its first instant in UTC) or an RFC 3339 time; raise ValueError otherwise."""
    return parse_instant(f"{text}T00:00:00Z" if len(text) == len("2026-11-02") else text)


def key_faults(examined: Examined[KeysFile]) -> Iterator[Fault]:
    """Yield what is wrong with the names in a file of key types."""
    for name, form in examined.form.keys.items() if examined.form else ():
        here = ("keys", name)
        yield from _name_faults(examined, here, name)
        for n, field in enumerate(form.scope):
            if not re.fullmatch(FIELD, field):
                yield examined.fault((*here, "scope", n), show(field), "a field of events")


def _name_faults(examined: Examined[Any], here: Location, name: str) -> Iterator[Fault]:
    if not re.fullmatch(FIELD, name):
        yield examined.fault(here, show(name), "letters, digits and _, such as time_entry")
    if name in NO_KEYS:
        yield examined.fault(here, show(name), "another name: an event reads this field as something else")


def process_faults(examined: Examined[ProcessFile], key_types: frozenset[str]) -> Iterator[Fault]:
    """Yield what is wrong with one process, given the names of all key types."""
    form = examined.form
    if form is None:
        return
    if not re.fullmatch(PROCESS, form.process):
        yield examined.fault(("process",), show(form.process), "lower-case words joined by -, such as time-to-bill")
    yield from _role_faults(form, examined, key_types)
    yield from _pass_faults(form, examined)
    for n, event_type in enumerate(form.links):
        yield from _type_faults(examined, ("links", n), event_type)
    yield from _version_faults(examined)
    for here, course in courses(form):
        yield from _Course(examined, here, course, form).faults()


def courses(form: ProcessFile) -> list[tuple[Location, Course]]:
    """Return the versions of a process with their places; the top of the file where it has one version only."""
    if form.versions:
        return [(("versions", n), version) for n, version in enumerate(form.versions)]
    return [((), form)]


def _roles(form: ProcessFile) -> Iterator[tuple[Location, str]]:
    yield ("keys", "name"), form.keys.name
    for role, names in (
        ("aliases", form.keys.aliases),
        ("carriers", form.keys.carriers),
        ("relations", form.keys.relations),
    ):
        for n, name in enumerate(names):
            yield ("keys", role, n), name


def _role_faults(form: ProcessFile, examined: Examined[Any], key_types: frozenset[str]) -> Iterator[Fault]:
    seen: dict[str, Location] = {}
    for here, name in _roles(form):
        if name not in key_types:
            yield examined.fault(here, show(name), f"a key type of keys.yaml: {nearest(name, key_types)}")
        if name in seen:
            yield examined.fault(
                here, f"{show(name)}, which is in {seen[name][1]} already", "one role for each key type"
            )
        seen.setdefault(name, here)
    context = {*form.keys.carriers, *form.keys.relations}
    for name, scope in form.keys.unique.items():
        if name not in context:
            yield examined.fault(
                ("keys", "unique", name), show(name), f"a carrier or relation: {nearest(name, context)}"
            )
        for n, field in enumerate(scope):
            if not re.fullmatch(FIELD, field):
                yield examined.fault(("keys", "unique", name, n), show(field), "a field of events")


def _pass_faults(form: ProcessFile, examined: Examined[Any]) -> Iterator[Fault]:
    for n, pair in enumerate(form.passes):
        for m, name in enumerate(pair):
            if name not in form.keys.carriers:
                yield examined.fault(("passes", n, m), show(name), f"a carrier: {nearest(name, form.keys.carriers)}")


def _type_faults(examined: Examined[Any], here: Location, event_type: str) -> Iterator[Fault]:
    if not re.fullmatch(EVENT_TYPE, event_type):
        yield examined.fault(here, show(event_type), "an event type: <object>.<past participle>, such as time.approved")
    elif event_type.startswith(RESERVED_TYPES) or event_type == HEARTBEAT:
        yield examined.fault(here, show(event_type), "a type that senders may send for a business object")


def _version_faults(examined: Examined[ProcessFile]) -> Iterator[Fault]:
    form = examined.form
    assert form is not None
    if form.versions:
        for entry in COURSE_ENTRIES:
            if entry in form.model_fields_set:
                yield examined.fault((entry,), f"{entry} beside versions", f"{entry} in each version")
    elif examined.lacks(("steps",)) and examined.lacks(("versions",)):
        yield examined.fault((), "neither steps nor versions", "steps")
    latest: int | None = None
    numbers: set[str] = set()
    for n, version in enumerate(form.versions):
        here = ("versions", n)
        if version.version in numbers:
            yield examined.fault((*here, "version"), show(version.version), "each version once")
        numbers.add(version.version)
        yield from _order_faults(examined, here, version, latest)
        latest = _effective(version) or latest


def _effective(version: VersionForm) -> int | None:
    try:
        return None if version.effective_from is None else parse_effective(version.effective_from)
    except ValueError:
        return None


def _order_faults(examined: Examined[Any], here: Location, version: VersionForm, latest: int | None) -> Iterator[Fault]:
    text, instant = version.effective_from, _effective(version)
    if text is None:
        if examined.place(here)[-1] != 0 and examined.lacks((*here, "effective_from")):
            yield examined.fault(here, "no effective_from", "effective_from, in every version after the first")
    elif instant is None:
        yield examined.fault(
            (*here, "effective_from"),
            show(text),
            "a date such as 2026-07-01, or a time with zone such as 2026-07-01T00:00:00Z",
        )
    elif latest is not None and instant <= latest:
        yield examined.fault((*here, "effective_from"), show(text), "later than the version before: oldest first")


class _Course:
    """The faults of one version."""

    def __init__(self, examined: Examined[Any], here: Location, form: Course, process: ProcessFile) -> None:
        self._examined = examined
        self._here = here
        self._form = form
        self._links = frozenset(process.links)
        self._context = {*process.keys.carriers, *process.keys.relations}

    def faults(self) -> Iterator[Fault]:
        if self._form.applies_when is not None:
            yield from self._condition_faults(("applies_when",), self._form.applies_when)
        for n, step in enumerate(self._form.steps):
            yield from self._step_faults(("steps", n), step)
        yield from self._names_twice("steps", "step", [step.step for step in self._form.steps])
        yield from self._shared_type_faults()
        if self._form.steps and self._examined.whole_at((*self._here, "steps")):
            yield from self._missing_kinds()
        if self._form.new_round is not None:
            yield from self._round_faults(self._form.new_round)
        yield from self._ending_faults()
        yield from self._check_faults()
        yield from self._names_twice("expects", "expect", [each.expect for each in self._form.expects])
        for n, each in enumerate(self._form.expects):
            yield from self._expect_faults(("expects", n), each)

    def _fault(self, here: Location, seen: str, wanted: str) -> Fault:
        return self._examined.fault((*self._here, *here), seen, wanted)

    def _step_faults(self, here: Location, step: StepForm) -> Iterator[Fault]:
        if not re.fullmatch(STEP, step.step):
            yield self._fault((*here, "step"), show(step.step), "lower-case letters, digits and _, such as approved")
        for n, event_type in enumerate(step.types):
            yield from _type_faults(self._examined, (*self._here, *here, "types", n), event_type)
            if event_type in self._links:
                wanted = "a type that is not in links: those only draw links"
                yield self._fault((*here, "types", n), show(event_type), wanted)
        place = (*self._here, *here)
        if self._examined.place(place)[-1] == 0 and self._examined.lacks((*place, "system")):
            yield self._fault(here, "a first step without system", "system, the role that reports it")
        yield from self._due_faults(here, step)
        if _due_entries(step) and (step.kind is StepKind.INITIAL or step.kind in ERROR_KINDS):
            wanted = "no deadline: such a step is not waited for (new_round says when a new round is due)"
            yield self._fault((*here, _due_entries(step)[0]), f"a deadline of an {step.kind.value} step", wanted)
        if step.optional and step.kind is StepKind.TERMINAL:
            yield self._fault((*here, "optional"), "an optional terminal step", "a required one, as it ends the case")

    def _due_faults(self, here: Location, form: DueForm) -> Iterator[Fault]:
        entries = _due_entries(form)
        if len(entries) > 1:
            yield self._fault((*here, entries[1]), " and ".join(entries), "one of within, by_field, by_cutoff")
        yield from self._duration_faults(here, form.within)
        if form.by_field is not None and not re.fullmatch(FIELD, form.by_field):
            yield self._fault((*here, "by_field"), show(form.by_field), "a field of events, such as due_date")

    def _names_twice(self, part: str, entry: str, names: Iterable[str]) -> Iterator[Fault]:
        seen: set[str] = set()
        for n, name in enumerate(names):
            if name in seen:
                yield self._fault((part, n, entry), f"{show(name)} again", f"each {entry} once")
            seen.add(name)

    def _shared_type_faults(self) -> Iterator[Fault]:
        """Two steps may share a type only where their systems tell them apart."""
        reported: dict[tuple[str, str], str] = {}
        systems: tuple[str, ...] = ()
        for n, step in enumerate(self._form.steps):
            systems = step.system or systems
            for m, event_type in enumerate(step.types):
                known = {reported[pair] for system in systems if (pair := (event_type, system)) in reported}
                for other in sorted(known - {step.step}):
                    seen = f"{show(event_type)}, which reports {other} in the same system"
                    yield self._fault(("steps", n, "types", m), seen, "a type of its own, or another system")
                reported.update(dict.fromkeys(((event_type, system) for system in systems), step.step))

    def _missing_kinds(self) -> Iterator[Fault]:
        kinds = {step.kind for step in self._form.steps}
        for kind in (StepKind.INITIAL, StepKind.TERMINAL):
            if kind not in kinds:
                yield self._fault(("steps",), f"no {kind.value} step", f"a step with kind: {kind.value}")

    def _round_faults(self, form: NewRoundForm) -> Iterator[Fault]:
        here: Location = ("new_round",)
        if bool(form.after) == bool(form.each):
            yield self._fault(here, "both after and each" if form.each else "nothing", "after, or the word each")
        if form.each and _due_entries(form):
            yield self._fault(here, "a deadline", "none: each initial step opens a round when it comes")
        for n, event_type in enumerate(form.after):
            yield from _type_faults(self._examined, (*self._here, *here, "after", n), event_type)
        yield from self._due_faults(here, form)

    def _ending_faults(self) -> Iterator[Fault]:
        after = self._form.new_round.after if self._form.new_round else ()
        counted = Counter(ending.type for ending in self._form.ended_by)
        for n, ending in enumerate(self._form.ended_by):
            yield from _type_faults(self._examined, (*self._here, "ended_by", n), ending.type)
            if ending.type in after:
                yield self._fault(("ended_by", n), show(ending.type), "a type that does not open a new round as well")
            if counted[ending.type] > 1:
                yield self._fault(("ended_by", n), f"{show(ending.type)} more than once", "each type once")

    def _check_faults(self) -> Iterator[Fault]:
        steps = self._step_names()
        yield from self._names_twice("checks", "check", [check.check for check in self._form.checks])
        for n, check in enumerate(self._form.checks):
            yield from self._condition_faults(("checks", n, "that"), check.that)
            if check.step is not None and check.step not in steps and self._form.steps:
                yield self._fault(("checks", n, "step"), show(check.step), f"a step: {nearest(check.step, steps)}")

    def _expect_faults(self, here: Location, form: ExpectForm) -> Iterator[Fault]:
        steps = self._step_names()
        if not re.fullmatch(STEP, form.expect):
            yield self._fault((*here, "expect"), show(form.expect), "lower-case letters, digits and _")
        if form.expect in steps:
            yield self._fault((*here, "expect"), f"{show(form.expect)}, which is a step", "a name of its own")
        for entry, types in (("types", form.types), ("ended_by", form.ended_by)):
            for n, event_type in enumerate(types):
                yield from _type_faults(self._examined, (*self._here, *here, entry, n), event_type)
                if event_type in self._links:
                    wanted = "a type that is not in links: those only draw links"
                    yield self._fault((*here, entry, n), show(event_type), wanted)
        if form.after not in steps and self._form.steps:
            yield self._fault((*here, "after"), show(form.after), f"a step: {nearest(form.after, steps)}")
        if form.per is not None and form.per not in self._context:
            wanted = f"a carrier or relation: {nearest(form.per, self._context)}"
            yield self._fault((*here, "per"), show(form.per), wanted)
        for entry in ("from_field", "until_field", "period_field"):
            field = getattr(form, entry)
            if field is not None and not re.fullmatch(FIELD, field):
                yield self._fault((*here, entry), show(field), "a field of events, such as starts_on")
        yield from self._duration_faults(here, form.within)

    def _duration_faults(self, here: Location, text: str | None) -> Iterator[Fault]:
        if text is not None:
            try:
                parse_duration(text)
            except ValueError as error:
                yield self._fault((*here, "within"), show(text), str(error))

    def _step_names(self) -> list[str]:
        """Return the names of all steps as written: one that is left out as faulty is a step all the same."""
        written = self._examined.written((*self._here, "steps"))
        steps = cast("list[Any]", written) if isinstance(written, list) else []
        names = [cast("dict[str, Any]", step).get("step") for step in steps if isinstance(step, dict)]
        return [name for name in names if isinstance(name, str)]

    def _condition_faults(self, here: Location, source: str) -> Iterator[Fault]:
        try:
            compile_condition(source)
        except ValueError as error:
            yield self._fault(here, show(source), f"a condition in CEL; {error}")


def _due_entries(form: DueForm) -> list[str]:
    return [entry for entry in ("within", "by_field", "by_cutoff") if getattr(form, entry) is not None]
