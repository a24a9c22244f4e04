"""Writes the dashboards as Grafana reads them: ``python -m grafana.build``, or ``make dashboards``."""

from __future__ import annotations

from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from grafana.executives import executives
from grafana.integration_health import integration_health
from grafana.service import service

FOLDER = Path(__file__).parent / "dashboards"


def dashboards() -> dict[str, str]:
    """Return the text of each dashboard by the name of its file."""
    made = {"executives": executives(), "integration-health": integration_health(), "service": service()}
    encoder = JSONEncoder(sort_keys=True, indent=2)
    return {f"{name}.json": encoder.encode(board.build()) + "\n" for name, board in made.items()}


if __name__ == "__main__":
    for name, text in dashboards().items():
        (FOLDER / name).write_text(text, "utf-8")
