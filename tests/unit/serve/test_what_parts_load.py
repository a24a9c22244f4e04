"""What a part loads at its start: SQLAlchemy and Alembic only where tables are made or brought up to date."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from throughline.serve.processes import can_copy


@pytest.mark.parametrize("module", ["throughline.api.server", "lineage.run", "collector.serve"])
def test_a_part_starts_without_what_only_new_tables_need(module: str) -> None:
    code = f"import sys, {module}; print([name for name in ('sqlalchemy', 'alembic') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.skipif(not can_copy(), reason="this system does not allow for copies")
def test_what_copies_have_loaded_leaves_no_file_open_and_no_thread(tmp_path: Path) -> None:
    """A file that a library holds is closed in a copy, whose next file would have its number."""
    code = (
        "import os; from pathlib import Path; from throughline.serve.part import load;"
        "from throughline.core.settings import load_settings;"
        f"settings = load_settings({{'data': {str(tmp_path)!r}}}, {{}}, None);"
        "before = os.listdir('/proc/self/fd'); load(settings);"
        "print(len(os.listdir('/proc/self/fd')) - len(before), len(os.listdir('/proc/self/task')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "0 1\n", done.stderr
