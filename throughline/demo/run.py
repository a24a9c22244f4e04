"""``throughline demo``: start the product, let the firm live, and show what became of its work."""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

from throughline.core.instants import to_datetime
from throughline.demo.counted import count_once
from throughline.demo.figures import apart, figures, parts_of_passings
from throughline.demo.firm import DEFAULT_WEEKS, SCALES, SYSTEMS
from throughline.demo.plan import Plan, plan
from throughline.demo.play import IN_A_HURRY, ClockFile, Pace, Played, play, seen_until
from throughline.demo.product import Api, Product
from throughline.demo.programs import DemoFailed, Programs
from throughline.demo.questions import (
    blind_sources,
    case_lines,
    document,
    events_counted,
    known,
    occasionally,
    readings_by,
    readings_of,
    set_aside,
    wait_until_counted,
    wait_until_folded,
)
from throughline.demo.readings import compare_apart, compare_readings
from throughline.demo.screen import (
    Live,
    commands_for,
    picture,
    show_besides,
    show_blind,
    show_commands,
    show_comparison,
    show_page,
)
from throughline.demo.stuck import Group, groups_of, open_besides
from throughline.demo.truth import CaseTruth, tell_truth
from throughline.demo.verify import Difference, Document, compare, is_nameless, tally_documents, tally_truth

DEFAULT_SEED = 7
LIVE_SECONDS = 55.0
UNFINISHED = {"open", "provisional"}

OK, DIFFERENT, FAILED, INTERRUPTED = 0, 1, 2, 130


def run_demo(
    seed: int = DEFAULT_SEED,
    *,
    verify: bool = False,
    scale: str = "default",
    weeks: int = DEFAULT_WEEKS,
    exit: bool = False,
    data: Path | None = None,
    picture_file: Path | None = None,
    as_json: bool = False,
) -> int:
    """Run the demo and return the exit code of the command.

    ``verify``: as fast as it goes, then compare the truth with what was reconstructed; 0 where they are the same, 1
    where they differ. Else live in about a minute, ending with a page of what is stuck; then it keeps serving until
    Ctrl-C, unless ``exit`` is set or nobody watches (standard output is no terminal). 2 where it could not run.
    ``data`` keeps the data folder; without it, a temporary one is used and removed. ``as_json`` prints the comparison,
    or the page, as JSON to standard output, and everything else to standard error. ``picture_file`` gets the page as an
    SVG.
    """
    console = Console(stderr=as_json)
    if scale not in SCALES:
        console.print(
            f"--scale: seen {scale!r}, wanted one of {', '.join(SCALES)}", style="red", highlight=False, soft_wrap=True
        )
        return FAILED
    told = plan(seed, scale, weeks)
    try:
        if verify:
            return verify_plan(told, console, data, as_json=as_json)
        stays = not exit and not as_json and sys.stdout.isatty()
        return live_through(told, console, data, LIVE_SECONDS, picture_file, stays=stays, as_json=as_json)
    except DemoFailed as failed:
        console.print(f"The demo could not go on: {failed}", style="red", highlight=False, soft_wrap=True)
        return FAILED
    except KeyboardInterrupt:
        console.print("The demo has ended before its end.")
        return INTERRUPTED


@dataclass(frozen=True)
class Stage:
    """Everything that runs: the product, the firm's systems, and the clock by which both live."""

    product: Product
    programs: Programs
    clock: ClockFile
    api: Api


@contextmanager
def stage(told: Plan, data: Path | None) -> Generator[Stage]:
    """Start the product and the firm's systems; stop both afterwards, the systems first."""
    with ExitStack() as stack:
        folder = data or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="throughline-demo-")))
        claim(folder)
        clock_path = folder / "clock.txt"
        clock = ClockFile(clock_path, told.begins)
        product = stack.enter_context(Product(folder / "data", clock_path))
        programs = stack.enter_context(Programs(told.seed, product.addresses, folder / "logs"))
        yield Stage(product, programs, clock, stack.enter_context(Api(product.addresses.api)))


def claim(folder: Path) -> None:
    """Make a folder for one run of the demo; raise DemoFailed where it holds something, or cannot be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise DemoFailed(f"--data: {folder} is not empty; give a new folder, each run has its own time")
    except OSError as error:
        raise DemoFailed(f"--data: {folder} cannot be used ({error.strerror})") from error


def live_through(
    told: Plan,
    console: Console,
    data: Path | None,
    seconds: float,
    picture_file: Path | None = None,
    *,
    stays: bool,
    as_json: bool,
) -> int:
    """Let the firm live for so many seconds, show what is stuck in the end, and serve on where ``stays`` says so."""
    weeks = round((told.ends - told.begins) / 7 / 86_400_000_000)
    with stage(told, data) as on:
        console.print(f"Meridian Partners, a fictional firm, works {weeks} weeks in about a minute.")
        console.print(f"{len(SYSTEMS)} systems report over OTLP and CloudEvents; questions are answered at ", end="")
        console.print(on.api.url, highlight=False)
        with Live(console, told.begins, told.ends) as screen:
            ask = occasionally(lambda: known(on.api))
            ended = play(told, on.programs, on.clock, Pace(seconds), lambda now: screen.show(now, ask()))
        wait_until_folded(on.api, ended.position)
        lines = told_lines(on.api)
        groups = groups_of([document(on.api, line) for line in lines if line["state"] in UNFINISHED])
        blind = blind_sources(on.api)

        def page(to: Console) -> None:
            show_page(to, told.ends, Counter(line["state"] for line in lines), groups)
            show_besides(to, open_besides(lines))
            show_blind(to, blind)

        if picture_file is not None:
            picture_file.write_text(picture(page), "utf-8")
        if as_json:
            print(page_text(told, groups))
            return OK
        page(console)
        if not stays:
            console.print(
                "\nThe demo has ended. In a terminal it goes on serving, so that any record can be asked for."
            )
            return OK
        show_commands(console, commands_for(groups, on.product.addresses.api))
        console.print("\nIt keeps serving. Ctrl-C ends it.")
        try:
            on.product.wait()
        except KeyboardInterrupt:
            console.print("The demo has ended.")
            return OK
        raise DemoFailed(f"throughline serve has ended; {on.product.log} says why")


def verify_plan(told: Plan, console: Console, data: Path | None, *, as_json: bool) -> int:
    """Play as fast as it goes, compare case by case, print both sides and every difference."""
    began = time.monotonic()
    until = seen_until(told)
    truths = count_once(told.lives, [tell_truth(life, told.ends, until) for life in told.lives])
    with stage(told, data) as on:
        ended = play(told, on.programs, on.clock, IN_A_HURRY, lambda _: None)
        wait_until_folded(on.api, ended.position)
        documents = [document(on.api, line) for line in told_lines(on.api)]
        differences = [*compare_reports(on.api, ended), *compare(truths, documents)]
        listed = wait_until_counted(on.api)
        known = figures(told, truths)
        known["sync-latency"] = {**known["sync-latency"], **parts_of_passings(told)}
        differences += compare_readings(known, readings_of(on.api, listed, *days_of(told)))
        for each in apart(told, truths):
            differences += compare_apart(each, readings_by(on.api, each.kpi, each.by))
    if as_json:
        print(report_text(told, truths, documents, differences, len(known)))
    else:
        show_comparison(console, tally_truth(truths), tally_documents(documents), differences)
        took = time.monotonic() - began
        verdict = f"{len(differences):,} differences" if differences else "no difference"
        console.print(
            f"Seed {told.seed}: {ended.reports:,} reports, of which {ended.copies:,} were sent twice; {len(truths):,} "
            f"cases as they happened, {len(documents):,} as reconstructed, {len(known)} KPIs, in {took:.0f} s: "
            f"{verdict}.",
            soft_wrap=True,
        )
    return DIFFERENT if differences else OK


LOOKED_BACK = timedelta(weeks=9)  # what the first weeks' reports speak of lies as far back


def days_of(told: Plan) -> tuple[date, date]:
    """Return the days of all that is told."""
    first, last = (to_datetime(at).date() for at in (told.begins, told.ends))
    return first - LOOKED_BACK, last


def told_lines(api: Api) -> list[Document]:
    """Return the cases of the firm's work, without the mere numbers that one process knows of another's."""
    return [line for line in case_lines(api) if not is_nameless(line)]


def compare_reports(api: Api, ended: Played) -> list[Difference]:
    """Return where reports were not counted exactly once, or set aside."""
    counted = events_counted(api)
    found = [Difference("all reports", "set aside", "nothing", sentence) for sentence in set_aside(api)]
    if counted != ended.reports:
        found.append(Difference("all reports", "events", str(ended.reports), str(counted)))
    return found


def report_text(
    told: Plan, truths: list[CaseTruth], documents: list[Document], differences: list[Difference], kpis: int
) -> str:
    return as_text(
        {
            "seed": told.seed,
            "cases": {"truth": len(truths), "seen": len(documents)},
            "kpis": kpis,
            "differences": [difference._asdict() for difference in differences],
        }
    )


def page_text(told: Plan, groups: list[Group]) -> str:
    return as_text({"seed": told.seed, "stuck": [group.summary() for group in groups]})


def as_text(content: dict[str, Any]) -> str:
    return msgspec.json.format(msgspec.json.encode(content)).decode()
