"""Value paths: ``input.data.lines[*].timesheetNumber``. Read by hand, walked without recursion, never a guess.

A path begins with ``input`` (what came in), ``item`` (the element that the event is of) or ``parent`` (the object that
holds the array of that element). It goes on by ``.name``, ``["any name"]``, ``[0]``, ``[-1]`` and ``[*]`` (each).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, cast

from throughline.core.mappings.misfit import Lack, Misfit

INPUT: Final = "input"
ITEM: Final = "item"
PARENT: Final = "parent"
ROOTS: Final = (INPUT, ITEM, PARENT)
MOST_SEGMENTS: Final = 50
MOST_FOUND: Final = 10_000  # by one path; as many as a field may have elements
_STOPS: Final = frozenset(".[]\"' \t\n")


class Each(Enum):
    """The segment ``[*]``."""

    EACH = "*"


Segment = str | int | Each
Held = tuple[Any, Any]  # a value, after the object that holds it


@dataclass(frozen=True, slots=True)
class Path:
    """One path, read. ``several``: it has ``[*]``, so that it finds a list, be it empty."""

    text: str
    root: str
    segments: tuple[Segment, ...]

    @property
    def several(self) -> bool:
        return Each.EACH in self.segments

    def find(self, root: Any) -> Any:
        """Return what stands there under a root: a list where the path has ``[*]``, None where there is nothing."""
        if not self.several:
            for segment in self.segments:
                root = _step(root, segment)
                if root is None:
                    return None
            return root
        return [value for _, value in self._walk(root) if value is not None]

    def elements(self, root: Any) -> list[Held]:
        """Return the elements of the arrays that stand there, each after the object that holds its array.

        An object in an array's place counts as its only element, as converters from XML write it. Raises Misfit where
        something else stands there.
        """
        last = self.segments[-1] if self.segments else None
        found: list[Held] = []
        for holder, value in self._walk(root):
            if last is Each.EACH or isinstance(value, Mapping):
                found.append((holder, cast("Any", value)))
            elif isinstance(value, list):
                found += [(holder, element) for element in cast("list[Any]", value)]
            elif value is not None:
                raise Misfit(Lack.BAD_FIELD, f"{self.text}: seen {value!r:.64}, wanted an array")
            _bound(self.text, found)
        return found

    def _walk(self, root: Any) -> list[Held]:
        found: list[Held] = [(None, root)]
        for segment in self.segments:
            if segment is Each.EACH:
                found = [
                    (holder, element)
                    for holder, value in found
                    if isinstance(value, list)
                    for element in cast("list[Any]", value)
                ]
                _bound(self.text, found)
            elif isinstance(segment, int):
                found = [(holder, _step(value, segment)) for holder, value in found]
            else:
                found = [(value, _step(value, segment)) for _, value in found]
        return found


def _bound(text: str, found: list[Held]) -> None:
    if len(found) > MOST_FOUND:
        raise Misfit(Lack.TOO_LARGE, f"{text}: seen more than {MOST_FOUND:,} elements, wanted at most as many")


def _step(value: Any, segment: Segment) -> Any:
    if isinstance(segment, str):
        return cast("Mapping[str, Any]", value).get(segment) if isinstance(value, Mapping) else None
    if not isinstance(segment, int) or not isinstance(value, list):
        return None
    elements = cast("list[Any]", value)
    return elements[segment] if -len(elements) <= segment < len(elements) else None


def is_path(text: str) -> bool:
    """Tell whether a text is meant as a path: it begins with one of the roots, and goes on as a path does."""
    return any(text.startswith(root) and text[len(root) : len(root) + 1] in ("", ".", "[") for root in ROOTS)


def parse_path(text: str) -> Path:
    """Read a path; raise ValueError with what was seen and wanted, and the column counted from 1."""
    root = next((root for root in ROOTS if text.startswith(root)), None)
    if root is None or not is_path(text):
        raise ValueError(f"seen {text!r:.64}, wanted a path that begins with {', '.join(ROOTS[:-1])} or {ROOTS[-1]}")
    segments: list[Segment] = []
    at = len(root)
    while at < len(text):
        segment, at = _name(text, at + 1) if text[at] == "." else _bracket(text, at)
        segments.append(segment)
        if len(segments) > MOST_SEGMENTS:
            raise ValueError(f"seen a path of more than {MOST_SEGMENTS} parts, wanted a shorter one")
    return Path(text, root, tuple(segments))


def _name(text: str, at: int) -> tuple[str, int]:
    end = at
    while end < len(text) and text[end] not in _STOPS:
        end += 1
    if end == at:
        raise _unreadable(text, at, 'a name, such as .projectCode; other names stand in brackets: ["a name"]')
    return text[at:end], end


def _bracket(text: str, at: int) -> tuple[Segment, int]:
    if text[at] != "[":
        raise _unreadable(text, at, ". or [")
    quote = text[at + 1 : at + 2]
    if quote in ('"', "'") and quote:
        end = text.find(quote, at + 2)
        if end < 0 or text[end + 1 : end + 2] != "]":
            raise _unreadable(text, at, f"a name between {quote} and {quote}]")
        return text[at + 2 : end], end + 2
    end = text.find("]", at)
    inside = text[at + 1 : end] if end > 0 else ""
    if inside == "*":
        return Each.EACH, end + 1
    digits = inside.removeprefix("-")
    if digits.isascii() and digits.isdigit() and len(digits) < 7:
        return int(inside), end + 1
    raise _unreadable(text, at, '[0], [-1], [*] or ["a name"]')


def _unreadable(text: str, at: int, wanted: str) -> ValueError:
    return ValueError(f"seen {text!r:.64} at column {at + 1}, wanted {wanted}")
