"""Reference pages that say what the code declares; ``make docs`` writes them, a test compares them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from kpis.catalogue import load_catalogue
from kpis.declaration import Declaration, Kind
from kpis.families import SHARED, Family, families_of
from kpis.wording import UNFINISHED, define
from lineage.definitions import load_definitions
from throughline.core.metric_names import METRICS
from throughline.core.metrics import Metric, Part
from throughline.core.settings import describe, load_settings, variable_of
from throughline.core.yaml_file import load_yaml

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
KPI_CASES = Path(__file__).parents[1] / "cases" / "kpis"

_SETTINGS = """# Settings of `serve`

A setting is given as an option of `serve` (`--otlp-http` for `otlp_http`), as an environment variable or in a settings
file (YAML, by the names below), and these win over each other in this order; what is given nowhere has its default. The
settings file is named by `--settings FILE` or `THROUGHLINE_SETTINGS`; paths in it are relative to it.
`throughline settings` shows each value and where it came from. Whatever is wrong is said at once, each fault with its
source, and `serve` does not start.

Sizes are written as 16 MiB, 64 KiB or a number of bytes. A door that others than this machine can reach needs a
[file of tokens](tokens.md). The files of `tokens`, `tls_certificate` and `tls_key` are read again when they change; all
else holds from start to stop.

Commands that ask a running `serve` read two variables of their own: `THROUGHLINE_TOKEN`, the secret that they show, and
`THROUGHLINE_CA_FILE`, the authorities (PEM) that they trust where they ask by https, instead of the system's.

| name | variable | default | meaning |
|---|---|---|---|
"""

_METRICS = """# Metrics

`GET /metrics` at the API's address shows all of these in Prometheus' text format, or in OpenMetrics' to whom asks for
it (`accept`), each with the label `part`, which says whose process counted it. Memory, CPU and open files of each part
stand beside them as `process_…`. Every series is there from the start; labels are closed lists. What nobody can say is
`NaN`.

OpenMetrics has exemplars: `throughline_api_seconds` leads to the trace of who asked (`traceparent`), and
`throughline_acknowledge_seconds` over 0.1 s to that of what was sent, each by its `trace_id`.
"""

_READINGS = """
## KPIs: what their readings say

Each [KPI](kpis.md) has a family of its own, with the question as its meaning, and shares others that say what stands
beside its figure. All are gauges; those with a `quantile` (0.5, 0.9, 0.99) are typed as summaries without sum or
count, as nobody knows the sum of what has not ended. A KPI of the firm's own has them by the same rule:
`throughline_kpi_`, its name, and its unit: `seconds`, `ratio` (from 0 to 1), `records`, `amount`, `hours` (of work),
`per_hour`.

- **No answer is no sample**, never 0, and `throughline_kpi_has_answer` is 0 then.
- **A quantile that is not reached** ("> x") is no sample either: `…_at_least` has x.
- A reading is of one value of one dimension: `process`, `flow`, `region`, `legal_entity`, `work_owner` (the team that
  has to see to it; `owner` is whose KPI it is), `ageing` or `cutoff` (what the [cut-off](kpi.md#cut-offs) that it
  misses is called, not when that is). Without any of these labels it is the total; never add them up. `unknown` is what
  nobody says. Regions and legal entities are those that the estate declares, and no other dimension is a label, so that
  no series ever holds an id.
- Times are by Throughline's clock; readings were made at `throughline_kpi_read_timestamp_seconds`, while
  `throughline_kpi_read_behind_changes` saves of cases waited to be counted.

{shared}
{own}"""

_KPIS = """# The KPIs that ship

What each asks, how it is worked out ([what the kinds mean](kpi.md)) and, where cases alone can tell it, an example
worked out by hand: the product's own tests hold it to that figure. Examples are small, so they set the minimum sample
aside. A firm's own KPI replaces one of the same name.

Everywhere: synthetic traffic never counts. What cannot be measured stands beside the figure and is never 0; with fewer
than the minimum sample, or without data, there is no answer. Money is in the reporting currency, what lasts at the
rates of the reading, what happened at the rates of its day.
"""

_PARTS = {
    Part.COLLECTOR: "The collector: what came in, and the journal",
    Part.ENGINE: "The engine: from the journal to cases",
    Part.API: "The API",
}


def settings_page() -> str:
    """Return the reference of settings."""
    lines = [
        f"| `{line.name}` | `{variable_of(line.name)}` | {line.value} | {line.meaning} |"
        for line in describe(load_settings({}, {}))
    ]
    return _SETTINGS + "\n".join(lines) + "\n"


def metrics_page() -> str:
    """Return the reference of metrics."""
    sections = [
        f"\n## {title}\n\n| name | kind | labels | meaning |\n|---|---|---|---|\n"
        + "".join(_metric_row(metric) for metric in METRICS if metric.part is part)
        for part, title in _PARTS.items()
    ]
    shipped = load_catalogue(None, load_definitions(None)).kpis.values()
    own = [family for kpi in shipped for family in families_of(kpi)]
    return _METRICS + "".join(sections) + _READINGS.format(shared=_families(SHARED), own=_families(own))


def _families(families: Iterable[Family]) -> str:
    rows = "".join(f"| `{each.name}` | {', '.join(each.labels)} | {each.meaning} |\n" for each in families)
    return f"| name | labels | meaning |\n|---|---|---|\n{rows}"


def _metric_row(metric: Metric) -> str:
    labels = "; ".join(f"{name}: {', '.join(values)}" for name, values in metric.labels.items())
    return f"| `{metric.name}` | {metric.kind} | {labels} | {metric.meaning} |\n"


def kpis_page() -> str:
    """Return the reference of the shipped KPIs, by group in the order in which work goes."""
    shipped = load_catalogue(None, load_definitions(None)).kpis.values()
    order = ("project start", "staffing", "work to bill", "finance", "integration health", "money")
    groups = sorted({kpi.group for kpi in shipped}, key=order.index)
    return _KPIS + "".join(
        f"\n## {group.capitalize()}\n" + "".join(_kpi(kpi) for kpi in shipped if kpi.group == group) for group in groups
    )


def _kpi(kpi: Declaration) -> str:
    definition = define(kpi)
    rows = [
        ("formula", f"`{kpi.formula.kind.value}`: {definition.formula}"),
        ("population", definition.population),
        ("numerator", definition.numerator or "none yet"),
        ("denominator", definition.denominator or "none: nothing is divided"),
        ("unit, clock", f"{kpi.unit.value}, {kpi.clock.value}"),
        ("good", kpi.good.value + _levels(kpi)),
        ("minimum sample", "none" if kpi.least_sample is None else str(kpi.least_sample)),
        ("unfinished work", UNFINISHED[kpi.unfinished]),
        ("by", ", ".join(dimension.value for dimension in kpi.dimensions) or "nothing"),
        ("metrics", ", ".join(f"`{family.name}`" for family in families_of(kpi)) or "none yet"),
        ("owner", kpi.owner),
        ("source", kpi.source),
        ("version", kpi.version),
    ]
    if kpi.formula.kind is Kind.NONE:
        rows = [("no source yet", f"it lacks {kpi.formula.lacks}"), *rows]
    cells = ((name, text.replace("|", r"\|")) for name, text in rows)
    table = "".join(f"| {name} | {text} |\n" for name, text in cells)
    return f"\n### {kpi.title} (`{kpi.name}`)\n\n{kpi.question}\n\n| | |\n|---|---|\n{table}{_example(kpi.name)}"


def _levels(kpi: Declaration) -> str:
    levels = [("target", kpi.target), ("warning", kpi.warning)]
    told = [f"{name} {bound.text}" for name, bound in levels if bound is not None]
    of = f" of the {kpi.headline.value}" if told and kpi.formula.kind is Kind.LAG else ""
    return f"; {', '.join(told)}{of}" if told else ""


def _example(name: str) -> str:
    path = KPI_CASES / f"{name}.yaml"
    if not path.exists():
        return ""
    content = load_yaml(path).content
    events = "".join(f"{line}\n" for line in content["events"].splitlines())
    zone = f", {content['zone']}" if "zone" in content else ""
    return f"\n```text\n{events}now: {content['now']}{zone}\n```\n\n{content['why'].strip()}\n"


PAGES = {"settings.md": settings_page, "metrics.md": metrics_page, "kpis.md": kpis_page}

if __name__ == "__main__":
    for name, write in PAGES.items():
        (REFERENCE / name).write_text(write())
