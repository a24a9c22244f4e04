"""``throughline demo``: start the product, let the firm live, and show what became of its work."""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import quote

import msgspec
from rich.console import Console

from throughline.demo.firm import DEFAULT_WEEKS
from throughline.demo.plan import Plan, plan
from throughline.demo.play import ClockFile, Pace, play, seen_until
from throughline.demo.product import Api, Product
from throughline.demo.programs import DemoFailed, Programs
from throughline.demo.screen import Live, commands_for, show_blind, show_commands, show_comparison, show_page
from throughline.demo.stuck import groups_of
from throughline.demo.truth import tell_truth
from throughline.demo.verify import Difference, Document, compare, tally_documents, tally_truth

DEFAULT_SEED = 7
LIVE_SECONDS = 55.0
FOLD_SECONDS = 60.0
ASK_EVERY_SECONDS = 0.7
PAGE_OF_CASES = "500"
UNFINISHED = {"open", "provisional"}

OK, DIFFERENT, FAILED = 0, 1, 2
INTERRUPTED = 130


def run_demo(
    seed: int = DEFAULT_SEED,
    *,
    verify: bool = False,
    scale: str = "default",
    weeks: int = DEFAULT_WEEKS,
    exit: bool = False,
    data: Path | None = None,
    as_json: bool = False,
    console: Console | None = None,
) -> int:
    """Run the demo and return the exit code of the command.

    ``verify``: as fast as it goes, then compare the truth with what was reconstructed; 0 where they are the same, 1
    where they differ. Else live in about a minute, ending with a page of what is stuck; then it keeps serving until
    Ctrl-C, unless ``exit`` is set or nobody watches (standard output is no terminal). 2 where it could not run.
    ``data`` keeps the data folder; without it, a temporary one is used and removed.
    """
    console = console or Console(stderr=as_json)
    told = plan(seed, scale, weeks)
    try:
        with running(told, data) as (product, programs, clock):
            if verify:
                return verified(console, told, product, programs, clock, as_json)
            live(console, told, product, programs, clock)
            if exit or not sys.stdout.isatty():
                console.print("The demo has ended and its data is gone; in a terminal it would go on serving.")
                return OK
            console.print("\nThe demo keeps serving; Ctrl-C ends it.")
            product.wait()
    except DemoFailed as failed:
        console.print(f"The demo could not go on: {failed}", style="red", highlight=False)
        return FAILED
    except KeyboardInterrupt:
        console.print("The demo has ended.")
        return OK if not verify else INTERRUPTED
    return OK


@contextmanager
def running(told: Plan, data: Path | None) -> Generator[tuple[Product, Programs, ClockFile]]:
    """Start the product and the firm's systems; stop both afterwards, the systems first."""
    with ExitStack() as stack:
        folder = data or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="throughline-demo-")))
        folder.mkdir(parents=True, exist_ok=True)
        clock_path = folder / "clock.txt"
        clock = ClockFile(clock_path, told.begins)
        product = stack.enter_context(Product(folder / "data", clock_path))
        programs = stack.enter_context(Programs(told.seed, product.addresses, folder / "logs"))
        yield product, programs, clock


def live(console: Console, told: Plan, product: Product, programs: Programs, clock: ClockFile) -> None:
    """Let the firm live in about a minute, and print what is stuck in the end."""
    weeks = round((told.ends - told.begins) / 7 / 86_400_000_000)
    console.print(f"Meridian Partners, a fictional firm, works {weeks} weeks in about a minute. Its API: ", end="")
    console.print(f"http://{product.addresses.api}", highlight=False)
    with Api(product.addresses.api) as api:
        with Live(console, told.begins, told.ends) as screen:
            ask = occasionally(lambda: known(api))
            position = play(told, programs, clock, Pace(LIVE_SECONDS), lambda played: screen.show(played, ask()))
        wait_until_folded(api, position)
        lines = list(case_lines(api))
        held = [document(api, line) for line in lines if line["state"] in UNFINISHED]
        groups = groups_of(held)
        show_page(console, told.ends, Counter(line["state"] for line in lines), groups)
        show_blind(console, blind_sources(api))
        if groups:
            show_commands(console, commands_for(groups, product.addresses.api))


def verified(
    console: Console, told: Plan, product: Product, programs: Programs, clock: ClockFile, as_json: bool
) -> int:
    """Play as fast as it goes, compare case by case, print both sides and every difference."""
    began = time.monotonic()
    position = play(told, programs, clock, Pace(), lambda _: None)
    until = seen_until(told)
    truths = [tell_truth(life, told.ends, until) for life in told.lives]
    with Api(product.addresses.api) as api:
        wait_until_folded(api, position)
        documents = [document(api, line) for line in case_lines(api)]
    differences = compare(truths, documents)
    if as_json:
        print(report_text(told, len(truths), len(documents), differences))
        return DIFFERENT if differences else OK
    show_comparison(console, tally_truth(truths), tally_documents(documents), differences)
    took = time.monotonic() - began
    verdict = "no difference" if not differences else f"{len(differences):,} differences"
    console.print(
        f"Seed {told.seed}: {len(told.happenings):,} happenings, {len(truths):,} cases as they happened, "
        f"{len(documents):,} as reconstructed, in {took:.0f} s: [bold]{verdict}[/bold]."
    )
    return DIFFERENT if differences else OK


def report_text(told: Plan, truths: int, documents: int, differences: list[Difference]) -> str:
    report = {
        "seed": told.seed,
        "happenings": len(told.happenings),
        "cases": {"truth": truths, "seen": documents},
        "differences": [difference._asdict() for difference in differences],
    }
    return msgspec.json.format(msgspec.json.encode(report)).decode()


def wait_until_folded(api: Api, position: str) -> None:
    """Wait until a position is folded into the cases; raise DemoFailed where that takes too long."""
    until = time.monotonic() + FOLD_SECONDS
    while True:
        status = api.get("/status", folded=position, wait="10s")
        if status["reached"]:
            return
        if time.monotonic() > until:
            raise DemoFailed(f"position {position} was not folded within {FOLD_SECONDS:.0f} s, only {status['folded']}")


def case_lines(api: Api) -> Iterator[Document]:
    """Yield every case of the list, page by page."""
    cursor: dict[str, str] = {}
    while True:
        page = api.get("/cases", limit=PAGE_OF_CASES, **cursor)
        yield from page["cases"]
        if page["next"] is None:
            return
        cursor = {"cursor": page["next"]}


def document(api: Api, line: Document) -> Document:
    """Return the document of a listed case."""
    scope = {f"scope.{name}": value for name, value in line["scope"].items()}
    return api.get(f"/cases/{quote(line['process'], safe='')}/{quote(line['name'], safe='')}", **scope)


def occasionally(question: Callable[[], str]) -> Callable[[], str]:
    """Return a way to ask that asks again only after a while, and gives the last answer until then."""
    answer, asked_at = "", 0.0

    def ask() -> str:
        nonlocal answer, asked_at
        if time.monotonic() - asked_at >= ASK_EVERY_SECONDS:
            answer, asked_at = question(), time.monotonic()
        return answer

    return ask


def known(api: Api) -> str:
    """Say in a few words what the product knows by now."""
    counts = api.get("/status")["counts"]
    cases, deviations = counts["cases"], counts["deviations"]
    return f", {sum(cases.values()):,} cases, {cases['open']:,} under way, {sum(deviations.values()):,} deviations"


def blind_sources(api: Api) -> list[tuple[str, str]]:
    """Return the sources that are silent for longer than their cadence, and since when."""
    sources = api.get("/status")["sources"]
    return [(source["source"], source["blind_since"]) for source in sources if source["blind_since"]]
