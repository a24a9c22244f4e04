"""At a real serve: money that a milestone and its invoice both hold up is said to count in the invoice."""

from __future__ import annotations

from pathlib import Path

from tests.service.serving import event, run, serving

FAILED = {"outcome": "failure", "error": {"category": "timeout"}}
WORTH = {"amount": "500.00", "currency": "EUR"}
INVOICE = {"invoice": "I1", "legal_entity": "DE01"}


def test_the_milestone_says_where_it_counts_in_documents_lists_and_words(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as serve:
        position = serve.send(
            event("1", "milestone.completed", milestone="M1", **WORTH),
            event("2", "invoice.issued", milestone="M1", **INVOICE, **WORTH),
            event("3", "revenue.recognised", milestone="M1", **FAILED),
            event("4", "invoice.posted", **INVOICE, **FAILED),
        )
        serve.folded(position)
        document = serve.get("/api/v1/cases/milestone-to-invoice/M1").json
        reference = {"process": "invoice-to-cash", "key_type": "invoice", "name": "I1"}
        assert document["counted_in"] == [reference | {"scope": {"legal_entity": "DE01"}}]
        lines = {each["name"]: each for each in serve.get("/api/v1/cases").json["cases"]}
        assert lines["M1"]["counted_in"] == document["counted_in"]
        assert lines["I1"]["counted_in"] == []
        words = run("show", "milestone", "M1", "--data", str(serve.data)).stdout
        assert "holds up EUR 500.00" in words
        assert "sums count that in invoice-to-cash I1" in words
        table = run("cases", "--data", str(serve.data), COLUMNS="200").stdout
        assert "(EUR 500.00)" in table
        assert "sums count it in a case downstream" in table
    shown = run("processes", "show", "invoice-to-cash").stdout
    assert "follows   milestone-to-invoice by invoice" in shown


def test_a_record_tells_what_came_under_the_id_of_one_of_its_events(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as serve:
        serve.send(event("1", "time.submitted", time_entry="TE-7"))
        serve.folded(serve.send(event("1", "time.approved", time_entry="TE-1")))
        words = " ".join(run("show", "time_entry", "TE-7", "--data", str(serve.data), COLUMNS="200").stdout.split())
        assert "came again as time.approved of " in words
        assert ", under the same id: counts for nothing id 1" in words
