"""The published JSON Schema of KPI files, made from the form that reads them."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

from kpis.declaration_file import KpiFile
from lineage.schemas import DIALECT


def schema_text() -> str:
    """Return the JSON Schema of a KPI file as it is published."""
    schema: dict[str, Any] = {"$schema": DIALECT, **KpiFile.model_json_schema(), "title": "A KPI"}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def published() -> Path:
    """Return where the published JSON Schema lies."""
    return Path(str(files("kpis.schemas") / "kpi.schema.json"))


def publish() -> None:
    """Write the JSON Schema anew; run it after the form has changed."""
    published().write_text(schema_text(), "utf-8")
