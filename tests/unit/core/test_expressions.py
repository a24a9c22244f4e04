from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from throughline.core.expressions import (
    NoAnswer,
    compile_condition,
    compile_expression,
    fields_of,
    paths_of,
    prune,
)
from throughline.core.number import Number

BILLABLE = '!has(facts.billable) || !(facts.billable in [false, "false"])'


@pytest.mark.parametrize(
    ("source", "facts", "outcome"),
    [
        ("facts.rate <= facts.cap", {"rate": 100, "cap": 120}, True),
        ("facts.rate <= facts.cap", {"rate": 130.5, "cap": 120}, False),
        ("facts.rate <= facts.cap", {"rate": 130}, None),  # a missing field
        ("facts.rate <= facts.cap", {"rate": "130", "cap": 120}, None),  # a type that does not fit
        ("double(facts.amount) > 100.0", {"amount": "100.50"}, True),
        ("double(facts.amount) > 100.0", {"amount": "a lot"}, None),
        ("'Q-1' in facts.quotes", {"quotes": ["Q-1", "Q-2"]}, True),
        ("facts['bill-rate'] == 'A'", {"bill-rate": "A"}, True),
        ("facts.exists(name, name.startsWith('x_'))", {"x_y": 1}, True),
        ("facts.flag", {"flag": True}, True),
        ("facts.flag", {"flag": "yes"}, None),  # neither true nor false
        ("facts.big > 0", {"big": 2**70}, None),
        ("facts.text == 'x'", {"text": "\ud800"}, None),  # no Unicode
        ("has(facts.text)", {"text": "a\0b"}, True),
        ("timestamp(facts.on) < timestamp('2026-01-01T00:00:00Z')", {"on": "2025-12-31T00:00:00Z"}, True),
        ("facts.text.matches('^(a+)+$')", {"text": "a" * 5_000 + "!"}, False),
        (BILLABLE, {}, True),
        (BILLABLE, {"billable": True}, True),
        (BILLABLE, {"billable": "true"}, True),
        (BILLABLE, {"billable": False}, False),
        (BILLABLE, {"billable": "false"}, False),
    ],
)
def test_a_condition_holds_or_not_or_has_no_answer(source: str, facts: dict[str, object], outcome: bool | None) -> None:
    condition = compile_condition(source)
    assert condition.holds(facts) is outcome
    assert condition.holds(facts) is outcome  # remembered


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("facts.rate <=", "line 1, column 14"),
        ("facts.rate >\n  && true", "line 2, column 3"),
        ("fact.rate > 1", "undeclared reference to 'fact.rate'"),
        ("now() > 1", "undeclared reference to 'now'"),
        ("1 + 'a' == 2", "line 1, column 3"),
        ("1 + 1", "this gives int"),
        ("", "line 1, column 1"),
    ],
)
def test_what_does_not_compile_is_told_with_line_and_column(source: str, wanted: str) -> None:
    with pytest.raises(ValueError, match=r"line \d+, column \d+") as caught:
        compile_condition(source)
    assert wanted in str(caught.value)


@pytest.mark.parametrize(
    ("source", "fields"),
    [
        ("facts.a", ("a",)),
        ("facts . a == facts['b'] && facts[\"c\"] == facts.a", ("a", "b", "c")),
        ("has(facts.a) && facts.b.matches('facts.c')", ("a", "b", "c")),
        ("facts.exists(k, k == 'x')", None),
        ("size(facts) > 1", None),
        ("facts[facts.a]", None),
        ("facts['a' + 'b'] == 1", None),
        ("[{'a': 1}].all(facts, facts.a == 1)", None),
        ("true", ()),
    ],
)
def test_it_knows_which_facts_it_looks_at(source: str, fields: tuple[str, ...] | None) -> None:
    assert fields_of(source) == fields


def test_equal_numbers_of_different_types_are_not_taken_for_each_other() -> None:
    condition = compile_condition("facts.a == true")
    assert [condition.holds({"a": value}) for value in (1, True, 1.0, False, 0)] == [False, True, False, False, False]


values = st.one_of(
    st.booleans(), st.integers(-3, 3), st.sampled_from([0.0, 1.0, 1.5]), st.sampled_from(["", "1", "true"])
)
maps = st.dictionaries(
    st.sampled_from(["a", "b"]), st.one_of(values, st.lists(st.sampled_from(["x", "1"]), max_size=2))
)


@given(st.lists(maps, max_size=20))
def test_what_is_remembered_never_changes_an_outcome(several: list[dict[str, object]]) -> None:
    source = "facts.a == facts.b || (has(facts.b) && facts.b in [1, 'x', true]) || facts.a > 0"
    remembering = compile_condition(source)
    assert [remembering.holds(each) for each in several] == [compile_condition(source).holds(each) for each in several]


@pytest.mark.parametrize(
    ("source", "value", "given"),
    [
        ("input.a.b + 1", {"a": {"b": 1}, "c": object()}, 2),  # what it does not name need not be a value of CEL's
        ("input['a']['b']", {"a": {"b": "x"}}, "x"),
        ("has(input.a.b)", {"a": {}}, False),
        ("input.items.exists(each, each.n > 1.0)", {"items": [{"n": Number("1.5")}]}, True),
        ("input.big > 1.0", {"big": 2**70}, True),
        ("size(input)", {"a": 1, "b": None}, 2),
        ("input.text", {"text": "ERROR: of a sender's"}, "ERROR: of a sender's"),
    ],
)
def test_an_expression_gives_a_value_of_what_it_names(source: str, value: object, given: object) -> None:
    expression = compile_expression(source, ("input",))
    assert expression.evaluate({"input": prune(value, expression.parts["input"])}) == given


@pytest.mark.parametrize("value", [{}, {"a": "x"}, {"a": None}, {"a": "\ud800"}])
def test_an_expression_without_an_answer_says_so_instead_of_raising(value: object) -> None:
    expression = compile_expression("input.a.b > 1", ("input",))
    assert isinstance(expression.evaluate({"input": prune(value, expression.parts["input"])}), NoAnswer)


@pytest.mark.parametrize(
    ("source", "paths"),
    [
        ("input.a.b == input.c", (("a", "b"), ("c",))),
        ("input.a.b == input.a", (("a",),)),
        ("input.a.startsWith('x')", (("a",),)),
        ("input.a[0].b", (("a",),)),
        ("input . a", (("a",),)),
        ("input['a-b']", None),
        ("size(input)", None),
        ("item.a", ()),
    ],
)
def test_the_paths_of_an_expression_are_all_that_it_looks_at(source: str, paths: object) -> None:
    assert paths_of(source, "input") == paths
