"""Names of logs become names here by one rule; no two of a log become one."""

from __future__ import annotations

from pathlib import Path

import pytest

from throughline.core.errors import ConfigurationError
from throughline.exchange.names import Names, NamesCollide, NamesForm, plain_name, read_names


@pytest.mark.parametrize(
    ("raw", "plain"),
    [
        ("Create Purchase Order", "create_purchase_order"),
        ("PurchaseOrder", "purchase_order"),
        ("A_SUBMITTED", "a_submitted"),
        ("  Prüfung: fällig! ", "prufung_fallig"),
        ("承認", "u627fu8a8d"),
        ("3-way match", "n3_way_match"),
        ("***", "unnamed"),
    ],
)
def test_a_name_is_written_in_lower_case_letters_digits_and_lines(raw: str, plain: str) -> None:
    assert plain_name(raw) == plain


def test_types_have_the_prefix_and_what_is_no_completion_a_further_part() -> None:
    names = Names("xes", NamesForm())
    assert names.type_of("Create Order") == "xes.create_order"
    assert names.type_of("Create Order", "start") == "xes.create_order.start"


def test_two_names_that_would_become_one_are_refused_until_a_file_tells_them_apart(tmp_path: Path) -> None:
    names = Names("xes", NamesForm())
    names.type_of("Create Order")
    with pytest.raises(NamesCollide, match=r"'Create Order' and 'create-order'.*--names FILE"):
        names.type_of("create-order")
    (tmp_path / "names.yaml").write_text("types: {create-order: order.made}\n")
    named = Names("xes", read_names(tmp_path / "names.yaml"))
    assert [named.type_of(raw) for raw in ("Create Order", "create-order")] == ["xes.create_order", "order.made"]


def test_an_attribute_is_not_taken_for_what_has_a_meaning_of_its_own(tmp_path: Path) -> None:
    names = Names("xes", NamesForm())
    names.key_of("case")
    assert [names.field_of(raw) for raw in ("amount", "Case", "activity", "cost:total")] == [
        "xes_amount",
        "xes_case",
        "xes_activity",
        "cost_total",
    ]
    (tmp_path / "names.yaml").write_text("fields: {'cost:total': amount}\nadd: {currency: EUR}\n")
    named = Names("xes", read_names(tmp_path / "names.yaml"))
    assert named.field_of("cost:total") == "amount"
    assert named.add == {"currency": "EUR"}


def test_every_fault_of_a_names_file_is_said_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "names.yaml").write_text("types: {Ship: shipped}\nkeyz: {}\n")
    with pytest.raises(ConfigurationError) as caught:
        read_names(tmp_path / "names.yaml")
    assert [fault.line for fault in caught.value.faults] == [1, 2]
