from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, ClassVar

import pytest
from pydantic import Field

from throughline.core.faults import Location
from throughline.core.forms import Examined, Form, OneOrMore, OrText, examine, nearest
from throughline.core.yaml_file import parse_yaml


class Fruit(Form):
    kind: str
    weight: int = 0


class Basket(Form):
    owner: str
    fruits: tuple[Fruit, ...] = ()
    tags: Annotated[tuple[int, ...], OneOrMore()] = ()
    lid: Annotated[Fruit | None, OrText(lambda text: {"kind": text}, {"type": "string"})] = None


def held(text: str) -> Examined[Basket]:
    return examine(parse_yaml(text.encode(), "basket.yaml"), Basket)


def test_a_faultless_document_is_whole() -> None:
    examined = held("owner: ana\nfruits: [{kind: pear}]\n")
    assert examined.whole
    assert examined.form == Basket(owner="ana", fruits=(Fruit(kind="pear"),))


def test_what_is_faulty_is_left_out_and_the_rest_is_kept() -> None:
    examined = held("owner: ana\nfruits:\n  - {kind: 7}\n  - {kind: pear, weight: much}\n  - {kind: fig, wieght: 3}\n")
    assert not examined.whole
    assert examined.form == Basket(owner="ana", fruits=(Fruit(kind="pear"), Fruit(kind="fig")))
    assert [fault.line for fault in examined.faults] == [3, 4, 5]
    assert "perhaps weight" in examined.faults[2].wanted


def test_a_later_fault_stands_where_it_stands_in_the_document() -> None:
    examined = held("owner: ana\nfruits:\n  - {weight: 7}\n  - {kind: 8}\n  - {kind: pear, weight: 1}\n")
    assert examined.form is not None
    assert [fruit.kind for fruit in examined.form.fruits] == ["pear"]
    fault = examined.fault(("fruits", 0, "weight"), "1", "more")
    assert (fault.line, fault.path) == (5, "fruits[2].weight")


def test_nothing_is_left_of_a_document_that_lacks_what_it_is_about() -> None:
    examined = held("owner: [ana]\n")
    assert (examined.form, len(examined.faults)) == (None, 1)
    assert held("- a\n- b\n").form is None


def test_one_item_needs_no_brackets() -> None:
    assert held("owner: ana\ntags: 7\n").form == held("owner: ana\ntags: [7]\n").form == Basket(owner="ana", tags=(7,))
    faulty = held("owner: ana\ntags: heavy\n")
    assert (faulty.form, faulty.faults[0].line) == (Basket(owner="ana"), 2)


def test_a_form_may_be_written_as_one_text() -> None:
    expected = Basket(owner="ana", lid=Fruit(kind="melon"))
    assert held("owner: ana\nlid: melon\n").form == held("owner: ana\nlid: {kind: melon}\n").form == expected


def test_their_schemas_say_so() -> None:
    properties = Basket.model_json_schema()["properties"]
    several = {"items": {"type": "integer"}, "type": "array"}
    assert properties["tags"]["anyOf"] == [{"type": "integer"}, several]
    assert properties["lid"]["anyOf"][0] == {"type": "string"}


def test_the_word_that_was_probably_meant_comes_first() -> None:
    assert nearest("invocie", ["project", "invoice"]) == "invoice, or another one of invoice, project"
    assert nearest("zebra", ["project", "invoice"]) == "one of invoice, project"
    assert nearest("zebra", []) == "none, as none is declared"


def test_limits_of_a_field_are_faults_too() -> None:
    class Small(Form):
        size: Annotated[int, Field(le=3)]

        worth: Annotated[Decimal, Field(max_digits=5)]

    examined = examine(parse_yaml(b"size: 4\nworth: '1e9999'\n", "small.yaml"), Small)
    assert [str(fault) for fault in examined.faults] == [
        "small.yaml:1:1: size: seen 4, wanted at most 3",
        "small.yaml:2:1: worth: seen '1e9999', wanted a decimal number of at most 5 digits",
    ]


class Shop(Form):
    """A form of which the rest is checked where its name is missing, or that of a fruit."""

    stand_ins: ClassVar[Mapping[Location, Any]] = {("name",): "shop", ("fruits", "*", "kind"): "fruit"}

    name: str
    fruits: Annotated[tuple[Fruit, ...], Field(min_length=1)]


def shop(text: str) -> Examined[Shop]:
    return examine(parse_yaml(text.encode(), "shop.yaml"), Shop)


@pytest.mark.parametrize("name", ["", "name: 7\n"])
def test_something_stands_in_for_what_a_form_cannot_do_without(name: str) -> None:
    examined = shop(f"{name}fruits:\n  - {{weight: 1}}\n  - {{kind: pear}}\n")
    assert examined.form == Shop(name="shop", fruits=(Fruit(kind="fruit", weight=1), Fruit(kind="pear")))
    assert [fault.path for fault in examined.faults] == ["name", "fruits[0].kind"]
    assert not examined.whole


def test_no_fault_is_told_of_what_stands_in() -> None:
    examined = shop("fruits:\n  - {weight: 1}\n  - {kind: pear}\n")
    places: list[Location] = [("name",), ("fruits", 0, "kind"), ("fruits", 0, "weight"), ("fruits", 1, "kind")]
    judged = [place for place in places if examined.judges(examined.fault(place, "this", "that"))]
    assert judged == [("fruits", 0, "weight"), ("fruits", 1, "kind")]


def test_a_part_is_whole_where_nothing_of_it_is_left_out() -> None:
    examined = shop("name: ana\nfruits:\n  - {kind: fig, weight: much}\n  - {kind: pear}\nlid: yes\n")
    assert [examined.whole_at(place) for place in (("name",), ("fruits",), ("fruits", 0), ("fruits", 1))] == [
        True,
        False,
        False,
        True,
    ]


def test_a_list_of_which_entries_are_faulty_is_not_too_short() -> None:
    assert [fault.path for fault in shop("name: ana\nfruits: [{kind: 1}]\n").faults] == ["fruits[0].kind"]
    assert [fault.path for fault in shop("name: ana\nfruits: []\n").faults] == ["fruits"]
