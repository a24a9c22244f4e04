"""What is wrong with ``follows`` in process files: it ties two processes, so it is checked once all are read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from lineage.process_file import KeysForm, ProcessFile
from throughline.core.errors import Fault
from throughline.core.faults import Location, show
from throughline.core.forms import Examined, nearest


def follow_faults(
    judged: Iterable[Examined[ProcessFile]], processes: Mapping[str, Examined[ProcessFile]]
) -> Iterator[Fault]:
    """Yield what is wrong with ``follows`` of some processes, given all of them by name."""
    forms = {name: each.form for name, each in processes.items() if each.form is not None}
    for examined in judged:
        for n, follow in enumerate(examined.form.follows if examined.form else ()):
            yield from _faults(examined, ("follows", n), follow.process, follow.by, forms)


def _faults(
    examined: Examined[ProcessFile], here: Location, upstream: str, by: str, forms: Mapping[str, ProcessFile]
) -> Iterator[Fault]:
    form = examined.form
    assert form is not None
    others = forms.keys() - {form.process}
    if upstream not in others:
        yield examined.fault((*here, "process"), show(upstream), f"another process: {nearest(upstream, others)}")
        return
    circle = _circle(form.process, upstream, forms)
    if circle:
        seen = " follows ".join((form.process, *circle))
        yield examined.fault((*here, "process"), seen, "processes that follow one another in one direction only")
    common = _common(form, forms[upstream])
    if by not in common:
        wanted = f"a name, alias or carrier of both {form.process} and {upstream}: {nearest(by, common)}"
        yield examined.fault((*here, "by"), show(by), wanted)


def _common(one: ProcessFile, other: ProcessFile) -> set[str]:
    """Return the key types by which one process can follow another."""
    return _leading(one.keys) & _leading(other.keys)


def _leading(keys: KeysForm) -> set[str]:
    return {keys.name, *keys.aliases, *keys.carriers}


def _circle(start: str, upstream: str, forms: Mapping[str, ProcessFile]) -> list[str]:
    """Return the processes from one that a process follows back to that process; empty where none leads back."""
    paths = [[upstream]]
    seen = {upstream}
    while paths:
        path = paths.pop()
        if path[-1] == start:
            return path
        for name in _followed(forms[path[-1]], forms):
            if name not in seen:
                seen.add(name)
                paths.append([*path, name])
    return []


def _followed(form: ProcessFile, forms: Mapping[str, ProcessFile]) -> list[str]:
    """Return the processes that one follows, by a key that both have."""
    known = [each for each in form.follows if each.process in forms]
    return [each.process for each in known if each.by in _common(form, forms[each.process])]
