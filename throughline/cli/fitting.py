"""Tables that fit a terminal of any width: what must be read whole is, and what is left out is said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

_GAP = 2
_LONGEST = 60
"""What is longer need not be on one line."""
_ABOVE = 4
"""How wide the first column is at least, where some of its cells stand on a line above."""


@dataclass(frozen=True)
class Cell:
    """What stands at one place: ``whole`` is never cut or split; ``more`` is beside or below it, folded by words."""

    whole: Text = field(default_factory=Text)
    more: Text = field(default_factory=Text)

    def least(self, lines: int) -> int:
        """Return how wide it must be, for its texts to take about so many lines at most."""
        words = self.more.plain.split() or [""]
        return max(self.whole.cell_len, *map(cell_len, words), ceil(self.more.cell_len / lines))

    @property
    def line(self) -> Text:
        return Text(" ").join(each for each in (self.whole, self.more) if each)

    def lines(self, width: int, console: Console) -> list[Text]:
        if self.line.cell_len <= width or not self.more:
            return [self.line]
        return [*([self.whole] if self.whole else ()), *self.more.wrap(console, width)]


@dataclass(frozen=True)
class Column:
    """A column: there is room first for those of the least ``rank``, and always for that of 0.

    ``lines``: about so many its texts take at most, otherwise it does not fit. ``needed``: it is never left out; cells
    of the first column for which there is no room beside it stand on a line above.
    """

    title: str
    rank: int
    right: bool = False
    lines: int = 4
    needed: bool = False


def print_fitting(out: Console, columns: Sequence[Column], rows: Iterable[Text | Sequence[Cell]]) -> list[str]:
    """Print a table as wide as its console at most, if nothing is wider that must be whole; a Text is a row of its own.

    Return the titles of the columns that are left out; a line below the table says them.
    """
    rows = list(rows)
    header = [Cell(Text(each.title, "bold")) for each in columns]
    cells = [header, *(row for row in rows if not isinstance(row, Text))]
    widths = _widths(columns, list(zip(*cells, strict=True)), out.width)
    for row in (header, *rows):
        for line in [row] if isinstance(row, Text) else _lines(out, columns, widths, row):
            out.print(line, soft_wrap=True)
    left_out = [each.title for at, each in enumerate(columns) if at not in widths]
    if left_out:
        *others, last = left_out
        listed = f"{', '.join(others)} and {last}" if others else last
        out.print(f"A wider terminal also shows {listed}.", style="dim")
    return left_out


def _widths(columns: Sequence[Column], cells: Sequence[Sequence[Cell]], room: int) -> dict[int, int]:
    """Return how wide each column is that is not left out, by its place."""
    most = [max(cell.line.cell_len for cell in each) for each in cells]
    least = [max(cell.least(column.lines) for cell in each) for column, each in zip(columns, cells, strict=True)]
    needed = sum(least[at] + _GAP for at, each in enumerate(columns) if each.needed)
    if needed and needed + least[0] > room:
        most[0] = least[0] = max(room - needed, _ABOVE)
    widths: dict[int, int] = {}
    left = room + _GAP
    for at, column in sorted(enumerate(columns), key=lambda each: each[1].rank):
        if least[at] + _GAP <= left or column.needed or not column.rank:
            widths[at] = least[at]
            left -= least[at] + _GAP
    return _widened(widths, most, left)


def _widened(widths: Mapping[int, int], most: Sequence[int], left: int) -> dict[int, int]:
    """Give columns the room that is left: first where little puts their texts on one line, the rest to the last."""
    wide = dict(widths)
    on_one_line = sorted((min(most[at], _LONGEST) - width, at) for at, width in widths.items())
    for wanted, at in on_one_line:
        if 0 < wanted <= left:
            wide[at] += wanted
            left -= wanted
    for at in reversed(wide):
        wanted = max(0, min(most[at] - wide[at], left))
        wide[at] += wanted
        left -= wanted
    return wide


def _lines(out: Console, columns: Sequence[Column], widths: Mapping[int, int], row: Sequence[Cell]) -> list[Text]:
    """Return the lines of a row."""
    cells = [(row[at].lines(widths[at], out), widths[at], columns[at].right) for at in sorted(widths)]
    above: list[Text] = []
    first, width, right = cells[0]
    if first[0].cell_len > width and len(cells) > 1:
        above, cells[0] = first, ([], width, right)
    height = max(len(lines) for lines, _, _ in cells)
    return [*above, *(_joined((each[at : at + 1], wide, right) for each, wide, right in cells) for at in range(height))]


def _joined(cells: Iterable[tuple[Sequence[Text], int, bool]]) -> Text:
    """Return one line of a row: of each cell the line that it has here, if any, its width, and if it stands right."""
    line = Text()
    for lines, width, right in cells:
        text = lines[0].copy() if lines else Text()
        text.rstrip()
        padding = " " * max(0, width - text.cell_len)
        line.append_text(Text.assemble(*((padding, text) if right else (text, padding)), " " * _GAP))
    line.rstrip()
    return line
