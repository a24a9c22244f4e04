"""How commands say what a KPI is."""

from __future__ import annotations

from rich.console import Console

from throughline.cli.client import Document

NOTHING_DIVIDED = "none: nothing is divided"


def say_definition(out: Console, kpi: Document, definition: Document) -> None:
    """Print how a KPI is worked out, of which cases, and what stands above and below the line, each in words."""
    out.print(f"Definition: {definition['formula']}")
    out.print(f"Population: {definition['population']}")
    out.print(f"Numerator: {definition['numerator'] or 'none yet'}.")
    out.print(f"Denominator: {definition['denominator'] or NOTHING_DIVIDED}.")
    out.print(f"{definition['unfinished'].removesuffix('.')}{_least(definition['minimum_sample'])}.")
    out.print(f"Source: {kpi['source']}.")


def _least(sample: int | None) -> str:
    if sample is None:
        return ""
    return "; without any there is no answer" if sample == 1 else f"; with fewer than {sample} there is no answer"
