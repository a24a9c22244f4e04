from __future__ import annotations

from typing import Annotated

from pydantic import Field

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

    examined = examine(parse_yaml(b"size: 4\n", "small.yaml"), Small)
    assert [str(fault) for fault in examined.faults] == ["small.yaml:1:1: size: seen 4, wanted at most 3"]
