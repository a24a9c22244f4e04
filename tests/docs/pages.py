"""Reference pages that say what the code declares; ``make docs`` writes them, a test compares them."""

from __future__ import annotations

from pathlib import Path

from throughline.core.metric_names import METRICS
from throughline.core.metrics import Metric, Part
from throughline.core.settings import describe, load_settings, variable_of

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"

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

`GET /metrics` at the API's address shows all of these in Prometheus' text format, each with the label `part`, which
says whose process counted it. Memory, CPU and open files of each part stand beside them as `process_…`. Every series
is there from the start; labels are closed lists.
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
    return _METRICS + "".join(sections)


def _metric_row(metric: Metric) -> str:
    labels = "; ".join(f"{name}: {', '.join(values)}" for name, values in metric.labels.items())
    return f"| `{metric.name}` | {metric.kind} | {labels} | {metric.meaning} |\n"


PAGES = {"settings.md": settings_page, "metrics.md": metrics_page}

if __name__ == "__main__":
    for name, write in PAGES.items():
        (REFERENCE / name).write_text(write())
