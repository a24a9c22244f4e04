"""Where one value of an event comes from, compiled: a path, an expression or a constant, then table and conversion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

from throughline.core.expressions import Expression, NoAnswer, prune
from throughline.core.mappings.conversion import As, Detail, convert, scalar_text
from throughline.core.mappings.misfit import Lack, Misfit, shown
from throughline.core.mappings.path import INPUT, ITEM, PARENT, Path

# CEL copies what an expression names each time: so many values in all, for the elements of one input.
MOST_COPIED: Final = 200_000


class Scope:
    """What paths and expressions look at, for one event."""

    __slots__ = ("budget", "input", "item", "parent")

    def __init__(self, input: Any, item: Any = None, parent: Any = None, budget: Budget | None = None) -> None:
        self.input = input
        self.item = item
        self.parent = parent
        self.budget = budget or Budget()

    def beside(self, item: Any, parent: Any) -> Scope:
        """Return the scope of an element of the same input."""
        return Scope(self.input, item, parent, self.budget)

    def root(self, name: str) -> Any:
        return self.input if name == INPUT else self.item if name == ITEM else self.parent


class Budget:
    """How much CEL has copied for one input, and what expressions over the input alone gave: once for all elements."""

    __slots__ = ("copied", "given")

    def __init__(self) -> None:
        self.copied = 0
        self.given: dict[int, Any] = {}

    def spend(self, value: Any) -> None:
        self.copied += _size(value)
        self.check()

    def check(self) -> None:
        if self.copied > MOST_COPIED:
            raise Misfit(
                Lack.TOO_LARGE, f"expressions look at more than {MOST_COPIED:,} values of this input: name less of it"
            )


def evaluate(expression: Expression, scope: Scope) -> Any:
    """Return what an expression gives, NoAnswer where it gives none; raise Misfit where it looks at too much."""
    alone = not (expression.parts.keys() & {ITEM, PARENT})
    if alone and id(expression) in scope.budget.given:
        return scope.budget.given[id(expression)]
    scope.budget.check()
    values: dict[str, Any] = {}
    for name, paths in expression.parts.items():
        values[name] = prune(scope.root(name), paths)
        scope.budget.spend(values[name])
    outcome = expression.evaluate(values)
    if alone:
        scope.budget.given[id(expression)] = outcome
    return outcome


def _size(value: Any) -> int:
    if isinstance(value, Mapping):
        return 1 + sum(_size(inner) for inner in cast("Mapping[str, Any]", value).values())
    if isinstance(value, list):
        return 1 + sum(_size(inner) for inner in cast("list[Any]", value))
    return 1


@dataclass(frozen=True)
class Value:
    """One value. ``exact``: a floating-point outcome of CEL is a fault, as money and hours must be as written."""

    name: str
    paths: tuple[Path, ...] = ()
    expression: Expression | None = None
    constant: Any = None
    to: As | None = None
    detail: Detail = field(default_factory=Detail)
    table: Mapping[str, Any] | None = None
    otherwise: Any = None
    exact: bool = False

    @property
    def is_constant(self) -> bool:
        return not self.paths and self.expression is None

    def of(self, scope: Scope) -> Any:
        """Return the value: a scalar, a list of scalars, or None where there is nothing; raise Misfit for a fault."""
        found = self._found(scope)
        if found is None or self.is_constant:
            return found
        try:
            if isinstance(found, list):
                converted = [self._converted(each) for each in cast("list[Any]", found) if each is not None]
                return converted or None
            return self._converted(found)
        except Misfit as misfit:
            raise Misfit(misfit.lack, f"{self.name}: {misfit.sentence}") from None

    def _found(self, scope: Scope) -> Any:
        if self.expression is not None:
            return self._given(self.expression, scope)
        for path in self.paths:
            found = path.find(scope.root(path.root))
            if found is not None and found != []:
                return found
        return self.constant

    def _given(self, expression: Expression, scope: Scope) -> Any:
        given = evaluate(expression, scope)
        if isinstance(given, NoAnswer):
            raise Misfit(Lack.FAILED, f"{self.name}: the expression gives no answer: {given.why[:200]}")
        if self.exact and isinstance(given, float):
            raise Misfit(
                Lack.BAD_NUMBER,
                f"{self.name}: seen a floating-point number out of CEL, wanted an exact one: a path, or a text",
            )
        return given

    def _converted(self, value: Any) -> Any:
        if self.table is not None:
            value = self._translated(value)
            if value is None:
                return None
        if self.to is not None:
            return convert(value, self.to, self.detail)
        if scalar_text(value) is None:
            raise Misfit(Lack.BAD_FIELD, f"seen {shown(value)}, wanted a single value, or an array of such")
        return value

    def _translated(self, value: Any) -> Any:
        text = scalar_text(value)
        table = self.table or {}
        if text is not None and text in table:
            return table[text]
        if self.otherwise is None:
            raise Misfit(Lack.FAILED, f"seen {shown(value)}, wanted one of the table: {', '.join(table)}"[:500])
        return self.otherwise
