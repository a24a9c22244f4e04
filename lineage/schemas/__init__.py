"""The published JSON Schemas of what a definitions folder holds, made from the forms that read it."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from lineage.process_file import KeysFile, ProcessFile
from throughline.core.estate_file import EstateFile
from throughline.core.mappings.form import MappingFile
from throughline.core.tokens_file import TokensFile

DIALECT = "https://json-schema.org/draft/2020-12/schema"
FORMS: dict[str, tuple[str, type[BaseModel]]] = {
    "process": ("A process", ProcessFile),
    "keys": ("Key types", KeysFile),
    "mapping": ("A mapping", MappingFile),
    "estate": ("The estate of a firm", EstateFile),
    "tokens": ("The tokens of a serve", TokensFile),
}


def schema_text(kind: str) -> str:
    """Return the JSON Schema of a kind of file as it is published; raises KeyError for an unknown kind."""
    title, form = FORMS[kind]
    schema: dict[str, Any] = {"$schema": DIALECT, **form.model_json_schema(), "title": title}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def published(kind: str) -> Path:
    """Return where the published JSON Schema of a kind of file lies."""
    return Path(str(files("lineage.schemas") / f"{kind}.schema.json"))


def publish() -> None:
    """Write all JSON Schemas anew; run it after a form has changed."""
    for kind in FORMS:
        published(kind).write_text(schema_text(kind), "utf-8")
