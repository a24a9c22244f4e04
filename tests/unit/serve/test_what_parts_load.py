"""What a part loads at its start: SQLAlchemy and Alembic only where tables are made or brought up to date."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["throughline.api.server", "lineage.run", "collector.serve"])
def test_a_part_starts_without_what_only_new_tables_need(module: str) -> None:
    code = f"import sys, {module}; print([name for name in ('sqlalchemy', 'alembic') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
