"""No input that a sender can write makes a mapping raise, and the same input gives the same drafts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from throughline.core.mappings.folder import read_mapping, read_mappings
from throughline.core.mappings.mapping import Draft, Spoilt
from throughline.core.mappings.misfit import Lack
from throughline.core.mappings.path import MOST_FOUND
from throughline.core.mappings.value import Scope
from throughline.core.number import Number
from throughline.core.yaml_file import parse_yaml

CASES = Path(__file__).parents[3] / "cases" / "mappings"
MAPPINGS = list(read_mappings(CASES)[0].by_name.values())
# Names that the mappings look for, so that random inputs get deep into them.
NAMES = [
    *("data", "header", "lines", "items", "value", "task", "result", "payload", "JOBS", "CHILD", "STATUS", "status"),
    *("REQUESTID", "ChangeEventHeader", "recordIds", "attributes", "type", "id", "time", "invoiceId", "net"),
    *("timesheetNumber", "totalCents", "currencyCode", "receivedAt", "details", "endTime", "approved"),
]
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(min_value=-(2**70), max_value=2**70)
    | st.floats(allow_nan=True)
    | st.from_regex(r"-?[0-9]{1,5}\.[0-9]{1,5}", fullmatch=True).map(Number)
    | st.text(max_size=20)
    | st.sampled_from(["SUCCEEDED", "Completed", "2026-11-02T16:04:11Z", "/Date(1672408275000)/"])
)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=6)
)


@given(st.dictionaries(st.sampled_from(NAMES), JSON, max_size=8), st.sampled_from(MAPPINGS))
@settings(max_examples=300)
def test_any_input_becomes_drafts_or_reasons(content: dict[str, Any], mapping: Any) -> None:
    assert isinstance(mapping.fit(Scope(content)).fits, bool)
    made = mapping.apply(content, None)
    assert all(isinstance(each, Draft | Spoilt) for each in made)
    assert [repr(each) for each in mapping.apply(content, None)] == [repr(each) for each in made]


def compiled(text: str) -> Any:
    mapping, faults = read_mapping(parse_yaml(text.encode(), "m.yaml"))
    assert [str(fault) for fault in faults] == []
    return mapping


EACH = """mapping: lines
input: json
event:
  each: input.lines
  type: line.seen
  id: input.id
  time: input.time
  when: {when}
  fields: {{line: item.id}}
"""


def test_more_elements_than_allowed_are_one_reason() -> None:
    content = {"id": "1", "time": "2026-11-02T16:04:11Z", "lines": [{}] * 100_000}
    (spoilt,) = compiled(EACH.format(when="'true'")).apply(content, None)
    assert spoilt.lack is Lack.TOO_LARGE


@pytest.mark.parametrize("expression", ["size(input.lines) > 0", "size(input.lines) > int(item.id)"])
def test_expressions_that_look_at_the_whole_of_a_large_input_are_bounded(expression: str) -> None:
    lines = [{"id": str(number)} for number in range(MOST_FOUND)]
    made = compiled(EACH.format(when=expression)).apply(
        {"id": "1", "time": "2026-11-02T16:04:11Z", "lines": lines}, "1"
    )
    spoilt = [each for each in made if isinstance(each, Spoilt)]
    assert len(made) == MOST_FOUND
    assert {each.lack for each in spoilt} <= {Lack.TOO_LARGE}
    assert (len(spoilt) > MOST_FOUND // 2) is ("item" in expression)  # one that is the same for all is asked once


def test_ids_are_those_of_the_input_and_the_element() -> None:
    mapping = compiled(EACH.format(when="item.id != 'b'"))
    content = {"id": "7", "time": "2026-11-02T16:04:11Z", "lines": [{"id": "a"}, {"id": "b"}, {"id": "c"}]}
    assert [each.id for each in mapping.apply(content, "ignored")] == ["7/1", "7/3"]


def test_an_element_whose_condition_has_no_answer_is_told_and_the_others_go_on() -> None:
    made = compiled(EACH.format(when="item.n > 1")).apply(
        {"id": "7", "time": "2026-11-02T16:04:11Z", "lines": [{"id": "a"}, {"n": 2, "id": "b"}]}, None
    )
    assert [type(each) for each in made] == [Spoilt, Draft]
    assert made[0].place == "input.lines element 1"
    assert "no answer" in made[0].sentence


def test_an_input_without_id_is_told_by_its_content_whatever_the_order_of_its_members() -> None:
    mapping = compiled("mapping: m\ninput: json\nevent: {type: a.b, time: input.t}")
    (one,) = mapping.apply({"t": "x", "n": Number("1.50")}, None)
    (same,) = mapping.apply({"n": Number("1.50"), "t": "x"}, None)
    (other,) = mapping.apply({"n": Number("1.5"), "t": "x"}, None)
    assert one.id == same.id != other.id


def test_a_null_that_comes_true_later_leaves_its_field_out_until_then() -> None:
    mapping = compiled("mapping: m\ninput: json\nevent: {type: a.b, time: input.t, fields: {invoice: input.no}}")
    (before,) = mapping.apply({"t": "x", "no": None}, None)
    (after,) = mapping.apply({"t": "x", "no": "INV-1"}, None)
    assert (before.data, after.data) == ({}, {"invoice": "INV-1"})


def test_money_out_of_floating_point_arithmetic_is_refused() -> None:
    mapping = compiled(
        "mapping: m\ninput: json\nevent: {type: a.b, time: input.t, currency: EUR, amount: {cel: input.n * input.n}}"
    )
    (spoilt,) = mapping.apply({"t": "x", "n": Number("1.10")}, None)
    assert spoilt.lack is Lack.BAD_NUMBER
