"""Tables of commands at every width of a terminal."""

from __future__ import annotations

from io import StringIO

from rich.console import Console
from rich.text import Text

from throughline.cli.fitting import Cell, Column, print_fitting

COLUMNS = (
    Column("id", 0),
    Column("figure", 1, right=True, needed=True),
    Column("target", 2),
    Column("asked", 3, lines=2),
)
QUESTION = "How long does it take from a project's creation until the ERP can take its costs?"
NAMES = ("short", "approved-milestones-not-invoiced")
HEADING = "a heading that stands over all columns"
FIGURE = "> EUR 3,332,594.34"


def row(name: str) -> tuple[Cell, ...]:
    figure = Cell(Text(FIGURE), Text("(6 of 178 without amount)"))
    return Cell(Text(name)), figure, Cell(Text("≤ 8 bd"), Text("of the median")), Cell(more=Text(QUESTION))


def printed(width: int) -> tuple[list[str], list[str]]:
    """Return the lines of a table at a width, and which columns are left out."""
    file = StringIO()
    out = Console(file=file, width=width, highlight=False)
    left_out = print_fitting(out, COLUMNS, [Text(HEADING), *map(row, NAMES)])
    return file.getvalue().splitlines(), left_out


def test_what_must_be_whole_is_at_every_width() -> None:
    for width in range(24, 200):
        lines, left_out = printed(width)
        text = "\n".join(lines)
        assert [sum(name in line.split() for line in lines) for name in NAMES] == [1, 1], width
        assert text.count(FIGURE) == len(NAMES), width
        assert text.count("≤ 8 bd") == (0 if "target" in left_out else len(NAMES)), width
        beside = [line for line in lines if not line.startswith((HEADING, "A wider")) and line not in NAMES]
        assert max(map(len, beside)) <= width


def test_all_is_on_one_line_where_there_is_room() -> None:
    lines, left_out = printed(200)
    figure = f"{FIGURE} (6 of 178 without amount)  ≤ 8 bd of the median  {QUESTION}"
    assert [line.split(None, 1)[1] for line in lines[2:]] == [figure, figure]
    assert left_out == []


def test_what_there_is_no_room_for_is_said() -> None:
    for width, left_out, said in ((100, ["asked"], "asked"), (40, ["target", "asked"], "target and asked")):
        lines, told = printed(width)
        assert " ".join(" ".join(lines).split()).endswith(f"A wider terminal also shows {said}.")
        assert told == left_out


def test_what_there_is_no_room_for_beside_a_figure_goes_below_it_by_words() -> None:
    assert printed(60)[0][2:5] == [
        "short                             > EUR 3,332,594.34  ≤ 8 bd",
        "                                   (6 of 178 without  of the",
        "                                             amount)  median",
    ]


def test_a_first_cell_without_room_beside_it_stands_on_a_line_above() -> None:
    lines, _ = printed(40)
    at = lines.index(NAMES[1])
    assert lines[at + 1].split() == FIGURE.split()
    assert any(line.startswith("short ") and line.endswith(FIGURE) for line in lines)


def test_what_is_needed_is_never_left_out() -> None:
    lines, left_out = printed(12)
    assert [sum(line.endswith(FIGURE) for line in lines), left_out] == [len(NAMES), ["target", "asked"]]


def test_room_that_is_left_goes_first_where_little_of_it_puts_texts_on_one_line() -> None:
    lines, left_out = printed(120)
    assert [sum("≤ 8 bd of the median" in line for line in lines), left_out] == [len(NAMES), []]


def test_what_is_wider_than_the_terminal_is_whole_all_the_same() -> None:
    file, name = StringIO(), "N" * 50
    left_out = print_fitting(
        Console(file=file, width=30), (Column("process", 1), Column("name", 0)), [(Cell(Text("p")), Cell(Text(name)))]
    )
    assert (file.getvalue().splitlines()[1], left_out) == (name, ["process"])
