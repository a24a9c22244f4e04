"""The page of documents describes each member of each document, and none that does not exist."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path

import msgspec
import pytest

from lineage import cases, document, orphans, record, related, trace_documents
from lineage.fact import CaseState, DeviationKind, StepStatus
from throughline.core import signal
from throughline.core.statement import StatementDocument

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "documents.md").read_text("utf-8")


def described(head: str) -> set[str]:
    """Return what the first column of the table under a head names."""
    table = PAGE[PAGE.index(f"| {head} |") :].split("\n\n", 1)[0]
    cells = [line.split("|")[1] for line in table.splitlines()[2:]]
    return {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        ("of a case", document.CaseDocument),
        ("of a key", document.KeyDocument),
        ("of a round", document.RoundDocument),
        ("of a step", document.StepDocument),
        ("of a deviation", document.DeviationDocument),
        ("of an exposure", document.ExposureDocument),
        ("of `waits_for`", document.WaitsDocument),
        ("of what it expects", document.ExpectedDocument),
        ("of a member", document.MemberDocument),
        ("of another content", document.ContentDocument),
        ("of a line", cases.CaseLine),
        ("of an orphan", orphans.OrphanLine),
        ("of a record", record.RecordDocument),
        ("of what happened in bulk", record.BulkDocument),
        ("of an event in bulk", record.BulkEventDocument),
        ("of a lineage", record.CaseLineage),
        ("of a reason", record.WhyDocument),
        ("of a link", record.LinkDocument),
        ("of a related key", related.RelatedDocument),
        ("of a statement", StatementDocument),
        ("of a trace", trace_documents.TraceDocument),
        ("of a span", trace_documents.SpanDocument),
        ("of a log record", trace_documents.LogDocument),
        ("of an event of a trace", trace_documents.TraceEventDocument),
        ("of a signal", signal.Signal),
        ("of its evidence", signal.Evidence),
        ("of its calibration", signal.Calibration),
    ],
)
def test_a_table_describes_the_members_that_there_are(head: str, kind: type[msgspec.Struct]) -> None:
    assert described(head) == {field.encode_name for field in msgspec.structs.fields(kind)}


@pytest.mark.parametrize(
    "kind", [CaseState, StepStatus, DeviationKind, signal.SignalKind, signal.Unit, signal.Standing]
)
def test_every_word_of_a_closed_list_is_on_the_page(kind: type[StrEnum]) -> None:
    for word in kind:
        assert re.search(rf"\b{word}\b", PAGE), word
