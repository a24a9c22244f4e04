from __future__ import annotations

import json

import pytest
from jsonschema import Draft202012Validator

from kpis.catalogue import pack_folder
from kpis.schemas import published, schema_text
from throughline.core.yaml_file import load_yaml, parse_yaml, yaml_files

SCHEMA = json.loads(published().read_text("utf-8"))
HEAD = "kpi: k\nversion: 1\ntitle: T\ngroup: g\nquestion: Why?\ngood: low\nowner: me\nsource: here\nunit: seconds\n"


def errors(text: bytes) -> list[str]:
    return [error.message for error in Draft202012Validator(SCHEMA).iter_errors(parse_yaml(text, "x").content)]


def test_the_published_schema_is_that_of_the_form() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert published().read_text("utf-8") == schema_text(), "run kpis.schemas.publish()"


def test_every_shipped_kpi_fits_it_and_is_called_as_its_file() -> None:
    paths = yaml_files(pack_folder())
    for path in paths:
        content = load_yaml(path).content
        assert [error.message for error in Draft202012Validator(SCHEMA).iter_errors(content)] == []
        assert content["kpi"] == path.stem
    assert len(paths) > 50


@pytest.mark.parametrize(
    "text",
    [
        "formula: {kind: guess}",
        "formula: {kind: lag, of: {process: A, from: a, to: b}}",
        "formula: {kind: lag, per: case}",
        "formula: {kind: lag, per: flow}\ndimensions: [planet]",
        "formula: {kind: lag, per: flow}\nminimum_sample: 0",
        "formula: {kind: lag, per: flow}\nclock: local",
        "formula: {kind: lag, per: flow}\ntaget: 3 h",
    ],
)
def test_an_editor_sees_these_faults_by_the_schema_alone(text: str) -> None:
    assert errors((HEAD + text).encode()) != []


@pytest.mark.parametrize(
    "text",
    [
        "formula: {kind: lag, of: {process: a, from: a, to: b}}",
        "formula: {kind: share, per: flow, hit: in_time, in_time: due}",
        "formula: {kind: deviations, measure: records, deviations: overdue, steps: [a, b]}",
    ],
)
def test_short_forms_fit_it(text: str) -> None:
    assert errors((HEAD + text).encode()) == []
