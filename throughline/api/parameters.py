"""Parameters of a query: what takes one value is given once, as all but the last would count for nothing."""

from __future__ import annotations

from typing import get_origin

from fastapi import Request
from fastapi.routing import APIRoute
from pydantic import BaseModel

from throughline.core.faults import show
from throughline.core.problem import Problem, ProblemKind


async def refuse_repeated(request: Request) -> None:
    """Raise Problem where a parameter is given several times that takes one value."""
    if not request.query_params:
        return
    several, given = _several(request.scope["route"]), dict[str, list[str]]()
    for name, value in request.query_params.multi_items():
        given.setdefault(name, []).append(value)
    faults = [
        {"in": "query", "parameter": name[:64], "seen": show(values), "wanted": "one value"}
        for name, values in given.items()
        if len(values) > 1 and name not in several
    ]
    if faults:
        first = faults[0]
        sentence = f"{first['parameter']}: seen {first['seen']}, wanted {first['wanted']}"
        raise Problem(ProblemKind.INVALID, sentence, faults=faults)


def _several(route: APIRoute) -> frozenset[str]:
    """Return the parameters of a route that take several values: the lists of the form that its query is read by."""
    forms = [field.field_info.annotation for field in route.dependant.query_params]
    return frozenset(
        field.alias or name
        for form in forms
        if isinstance(form, type) and issubclass(form, BaseModel)
        for name, field in form.model_fields.items()
        if get_origin(field.annotation) is list
    )
