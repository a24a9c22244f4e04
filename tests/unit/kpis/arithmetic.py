"""How the cases of the golden tables are observed and added up, as digests beside the number of the arithmetic.

Whoever kept figures by another arithmetic looks at every case anew, and whoever kept them by this one does not: so what
a case contributes, or how that is added up, never changes under one number (``ARITHMETIC`` in kpis/keep.py).

``python -m tests.unit.kpis.arithmetic`` writes down what there is; it refuses where that is another under this number.
"""

from __future__ import annotations

import sys
from contextlib import closing
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import zstandard

from kpis.keep import ARITHMETIC, former_digest_of
from kpis.store import open_kpi_writer
from tests.unit.kpis.golden import golden
from tests.unit.kpis.test_keeping import KEPT, World

FILE = Path(__file__).with_suffix(".json")
RAISE = f"raise ARITHMETIC in kpis/keep.py above {ARITHMETIC}, then run `python -m tests.unit.kpis.arithmetic`"


class Noted(msgspec.Struct, frozen=True):
    """Digests of one golden case: of its table, and of what it comes to; ``arithmetic``: since when that is so."""

    arithmetic: int
    table: str
    comes_to: str


def note(path: Path) -> Noted:
    """Return what a golden case comes to."""
    case = golden(path)
    with TemporaryDirectory() as folder, closing((store := open_kpi_writer(Path(folder) / "kpis.db")).connection):
        world = World(case, store)
        world.fold(case.events, case.spans)
        world.follow()
        rows = store.rows("SELECT content FROM contributed ORDER BY case_id")
        rows += store.rows("SELECT content FROM cell ORDER BY grain, day, place")
        world.engine.close()
    declared = former_digest_of(case.declaration).encode()
    comes_to = _digest(*(_plain(content) for (content,) in rows))
    return Noted(ARITHMETIC, _digest(path.read_bytes(), declared), comes_to)


def _plain(stored: bytes) -> bytes:
    return zstandard.decompress(stored) if stored[:4] == zstandard.FRAME_HEADER else stored


def _digest(*parts: bytes) -> str:
    whole = blake2b(digest_size=12)
    for each in parts:
        whole.update(len(each).to_bytes(8, "big") + each)
    return whole.hexdigest()


def noted() -> dict[str, Noted]:
    """Return what was written down, by the names of golden cases."""
    return msgspec.json.decode(FILE.read_bytes(), type=dict[str, Noted])


def changed_under_one_number(before: Noted, now: Noted) -> bool:
    """Tell whether a table comes to something else though nothing in it changed, nor the number of the arithmetic."""
    return before.table == now.table and before.comes_to != now.comes_to and before.arithmetic == now.arithmetic


def is_as_noted(before: Noted, now: Noted) -> bool:
    """Tell whether a table is the one that was written down, and comes to what it did."""
    return (before.table, before.comes_to) == (now.table, now.comes_to)


def main() -> None:
    before, now = noted() if FILE.exists() else {}, {path.stem: note(path) for path in KEPT}
    others = [name for name, each in now.items() if name in before and changed_under_one_number(before[name], each)]
    if others:
        sys.exit(f"{', '.join(others)}: seen another figure under one number; {RAISE}")
    kept = {
        name: before[name] if name in before and is_as_noted(before[name], each) else each for name, each in now.items()
    }
    FILE.write_bytes(msgspec.json.format(msgspec.json.encode(kept), indent=1) + b"\n")


if __name__ == "__main__":
    main()
