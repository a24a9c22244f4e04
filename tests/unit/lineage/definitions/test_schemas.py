from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from lineage.definitions import pack_folder
from lineage.schemas import FORMS, published, schema_text
from throughline.core.yaml_file import load_yaml, parse_yaml, yaml_files


def schema(kind: str) -> dict[str, Any]:
    return json.loads(published(kind).read_text("utf-8"))


@pytest.mark.parametrize("kind", sorted(FORMS))
def test_the_published_schema_is_that_of_the_form(kind: str) -> None:
    assert published(kind).read_text("utf-8") == schema_text(kind), "run lineage.schemas.publish()"


@pytest.mark.parametrize("kind", sorted(FORMS))
def test_the_published_schema_is_a_schema(kind: str) -> None:
    Draft202012Validator.check_schema(schema(kind))


def test_every_shipped_file_fits_its_schema() -> None:
    paths = yaml_files(pack_folder())
    for path in paths:
        content = load_yaml(path).content
        kind = "process" if "process" in content else "keys"
        assert [error.message for error in Draft202012Validator(schema(kind)).iter_errors(content)] == []
    assert len(paths) > 4


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("process", "process: P"),
        ("process", "process: p\ntitle: T\nkeys: {name: a}\nsteps: [{step: a, types: [a.b], within: 3 days}]"),
        ("process", "process: p\ntitle: T\nkeys: {name: a}\nsteps: [{step: a, types: [approved]}]"),
        ("process", "process: p\ntitle: T\nkeys: {name: a}\nsteps: [{step: a, types: [a.b], systm: crm}]"),
        ("process", "process: p\ntitle: T\nkeys: {name: a}\nnew_round: always"),
        ("keys", "keys: {a: {normalise: [title]}}"),
        ("estate", "regions: {A: {timezone: UTC, open: nine to five}}"),
        ("estate", "cutoffs: {billing: {default: {every: week, on: someday, at: '17:00'}}}"),
    ],
)
def test_an_editor_sees_these_faults_by_the_schema_alone(kind: str, text: str) -> None:
    assert list(Draft202012Validator(schema(kind)).iter_errors(parse_yaml(text.encode(), "x").content)) != []


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("process", "process: p\ntitle: T\nkeys: {name: a}\nnew_round: each\nended_by: [a.b, {type: a.c, as: d}]"),
        ("process", "process: p\ntitle: T\nkeys: {name: a}\nversions: [{version: 1}, {version: 1b}]"),
        ("keys", "keys: {a: {normalise: upper}}"),
        ("estate", "cutoffs: {billing: {default: {every: month, on: 15, at: '24:00'}}}"),
        ("estate", "cutoffs: {billing: {default: [{every: week, on: friday, at: '17:00'}]}}"),
    ],
)
def test_short_forms_fit_the_schema(kind: str, text: str) -> None:
    content = parse_yaml(text.encode(), "x").content
    assert [error.message for error in Draft202012Validator(schema(kind)).iter_errors(content)] == []
