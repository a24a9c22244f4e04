"""The command ``kpis export``: readings as lines of a table, in CSV or Parquet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from throughline.cli.client import Client, Document, Refused, api_place
from throughline.cli.kpis import KPIS, LATENCY_PARTS
from throughline.cli.printing import console
from throughline.core.durable import replace_file
from throughline.core.errors import StartRefused

_COLUMNS = (
    *("kpi", "version", "unit", "clock", "headline", "currency", "at", "known_to", "first", "last"),
    *("value", "at_least", "standing", "why_not", "began", "done", "open", "otherwise", "unknown", "without_amount"),
    *("median_seconds", "p90_seconds", "p99_seconds", "low", "high"),
    *("split", *(f"{each}_mean_seconds" for each in LATENCY_PARTS)),
)
_BY_AT = _COLUMNS.index("value")  # where dimensions stand
_FORMS = (".csv", ".parquet")


def export(
    file: Path,
    kpis: Iterable[str],
    asked: Sequence[tuple[str, object]],
    by: Sequence[str],
    url: str | None,
    data: Path | None,
) -> None:
    """Write readings to a file, which is whole or not there.

    Raises StartRefused for a form that is neither, a dimension by which none of the KPIs is told, and a place that
    cannot be written to.
    """
    if file.suffix not in _FORMS:
        raise StartRefused(f"seen {file.name}, wanted a name that ends in {' or '.join(_FORMS)}")
    client = Client(api_place(url, data))
    declared = {each["kpi"]["id"]: each["kpi"] for each in client.get(KPIS)["kpis"]}
    unknown = sorted(set(kpis) - declared.keys())
    if unknown:
        raise StartRefused(f"seen {', '.join(unknown)}, wanted ids of KPIs: `throughline kpis list` shows them")
    names = list(kpis) or sorted(declared)
    told = {dimension for name in names for dimension in declared[name]["dimensions"]}
    if not told >= set(by):
        seen, wanted = ", ".join(sorted(set(by) - told)), ", ".join(sorted(told)) or "no dimension at all"
        raise StartRefused(f"--by: seen {seen}, wanted {wanted}: those are what they are told by")
    rows: list[dict[str, Any]] = []
    for name in names:
        kpi = declared[name]
        timed: list[tuple[str, object]] = [] if kpi["kind"] in ("stock", "deviations", "age", "gauge") else list(asked)
        some = [each for each in by if each in kpi["dimensions"]]
        try:
            found = client.get(f"{KPIS}/{name}/readings", [*timed, *(("by", each) for each in some)])
        except Refused as refused:
            if refused.document.get("status") != 404:
                raise
            continue  # it has no source yet
        rows += [_row(kpi, found, each, by) for each in found["readings"]]
    columns = [*_COLUMNS[:_BY_AT], *by, *_COLUMNS[_BY_AT:]]
    content = _csv(columns, rows) if file.suffix == ".csv" else _parquet(columns, rows)
    try:
        replace_file(file, content)
    except OSError as error:
        raise StartRefused(f"{file} cannot be written: {error.strerror or error}") from error
    console().print(f"{len(rows):,} readings written to {file}.")


def _row(kpi: Document, found: Document, reading: Document, by: Sequence[str]) -> dict[str, Any]:
    figure, beside = reading["figure"], reading["beside"]
    answer: Document = reading["answer"] or {}
    parts: Document = answer.get("parts") or {}
    money: Document = answer.get("money") or {}
    value = figure["value"]
    return {
        "kpi": kpi["id"],
        "version": found["version"],
        "unit": found["told_as"]["unit"],
        "clock": found["told_as"]["clock"],
        "headline": found["told_as"]["headline"],
        "currency": figure["currency"],
        "at": found["at"],
        "known_to": reading["known_to"],
        "first": reading["first"],
        "last": reading["last"],
        **{each: reading["by"].get(each) for each in by},
        "value": None if value is None else float(value),
        "at_least": figure["at_least"],
        "standing": figure["standing"],
        "why_not": reading["why_not"],
        "began": beside["began"],
        "done": beside["done"],
        "open": beside["open"],
        "otherwise": sum(beside["otherwise"].values()),
        "unknown": sum(beside["unknown"].values()),
        "without_amount": money.get("unknown"),
        **{f"{each}_seconds": _reached(answer.get(each)) for each in ("median", "p90", "p99")},
        "low": answer.get("low"),
        "high": answer.get("high"),
        "split": parts.get("split"),
        **{f"{each}_mean_seconds": _mean(parts.get(each)) for each in LATENCY_PARTS},
    }


def _reached(reached: Document | None) -> float | None:
    """Return when a share of all was done; None where it was not, as far as is known."""
    return None if reached is None or reached["beyond"] else reached["seconds"]


def _mean(part: Document | None) -> float | None:
    return None if part is None else part["mean"]


def _csv(columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, lineterminator="\r\n")  # RFC 4180
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _parquet(columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> bytes:
    try:
        arrow: Any = import_module("pyarrow")  # it has no types
        parquet: Any = import_module("pyarrow.parquet")
    except ImportError:
        raise StartRefused(
            "writing Parquet needs pyarrow, which is not installed beside Throughline:"
            " `.venv/bin/python -m pip install 'pyarrow>=21'`, or write .csv"
        ) from None
    whole, part, truth = arrow.int64(), arrow.float64(), arrow.bool_()
    kinds = {
        **dict.fromkeys(("began", "done", "open", "otherwise", "unknown", "without_amount", "split"), whole),
        **dict.fromkeys(("value", "low", "high", *(each for each in columns if each.endswith("_seconds"))), part),
        "at_least": truth,
    }
    schema = arrow.schema([(name, kinds.get(name, arrow.string())) for name in columns])
    sink = arrow.BufferOutputStream()
    parquet.write_table(arrow.Table.from_pylist(list(rows), schema=schema), sink)
    return sink.getvalue().to_pybytes()
