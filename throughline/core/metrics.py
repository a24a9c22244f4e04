"""Metrics: declared once as data, counted in each process, shown together.

A metric's labels are closed lists, never ids, so that their number is known and every series is there from the start.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from enum import Enum, StrEnum

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client import Metric as Samples
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

_OPEN_METRICS = "application/openmetrics-text"
_END = "# EOF"
TRACE = "trace_id"
"""The label by which an exemplar names the trace that it belongs to."""


class Form(Enum):
    """How samples are told; its value is the media type. Only OpenMetrics has room for exemplars."""

    PLAIN = "text/plain; version=0.0.4; charset=utf-8"
    OPEN_METRICS = f"{_OPEN_METRICS}; version=1.0.0; charset=utf-8"


def form_for(accept: str) -> Form:
    """Return the form that who asks would have, by the header ``accept``."""
    wanted = {part.partition(";")[0].strip().lower() for part in accept.split(",")}
    return Form.OPEN_METRICS if _OPEN_METRICS in wanted else Form.PLAIN


class Kind(StrEnum):
    COUNTER = "counter"  # only grows while a process lives
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Part(StrEnum):
    """A process of ``serve`` that counts for itself."""

    COLLECTOR = "collector"
    ENGINE = "engine"
    WATCH = "watch"
    API = "api"


@dataclass(frozen=True, slots=True)
class Metric:
    """What one metric is called and means; ``unit`` ends its name (before ``_total``), empty for plain counts."""

    name: str
    kind: Kind
    part: Part
    meaning: str
    unit: str = ""
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    buckets: tuple[float, ...] = ()


_Family = Counter | Gauge | Histogram


class Meter:
    """The metrics of one process, all of them at zero from the start.

    ``counter``, ``gauge`` and ``histogram`` give one series, to be kept by who counts often; they raise ValueError for
    a metric of another kind or part, or a label value that was not declared.
    """

    def __init__(self, part: Part, metrics: Iterable[Metric]) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        disable_created_metrics()  # a second series for each, which nothing here reads
        ProcessCollector(registry=self._registry)
        self._families: dict[str, _Family] = {}
        for metric in metrics:
            if metric.part is part:
                self._families[metric.name] = _declare(metric, self._registry)

    def counter(self, metric: Metric, **labels: str) -> Counter:
        """Return a series that grows: ``.inc(count)``."""
        series = self._series(metric, labels)
        if not isinstance(series, Counter):
            raise ValueError(f"{metric.name} is a {metric.kind}, no counter")
        return series

    def gauge(self, metric: Metric, **labels: str) -> Gauge:
        """Return a series that goes up and down: ``.set(value)``."""
        series = self._series(metric, labels)
        if not isinstance(series, Gauge):
            raise ValueError(f"{metric.name} is a {metric.kind}, no gauge")
        return series

    def histogram(self, metric: Metric, **labels: str) -> Histogram:
        """Return a series of observations: ``.observe(value)``."""
        series = self._series(metric, labels)
        if not isinstance(series, Histogram):
            raise ValueError(f"{metric.name} is a {metric.kind}, no histogram")
        return series

    def expose(self, form: Form = Form.PLAIN) -> str:
        """Return all series as text."""
        encode, _ = choose_encoder(form.value)
        return encode(self._registry).decode()

    def _series(self, metric: Metric, labels: Mapping[str, str]) -> _Family:
        family = self._families.get(metric.name)
        if family is None:
            raise ValueError(f"{metric.name} is a metric of the {metric.part}")
        if labels.keys() != metric.labels.keys() or any(
            value not in metric.labels[key] for key, value in labels.items()
        ):
            raise ValueError(f"{metric.name} has the labels {dict(metric.labels)}, not {dict(labels)}")
        return family.labels(**labels) if labels else family


def expose_samples(families: Iterable[Samples]) -> str:
    """Return families that were made elsewhere in Prometheus' text format 0.0.4."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Made(families))
    return generate_latest(registry).decode()


class _Made(Collector):
    def __init__(self, families: Iterable[Samples]) -> None:
        self._families = families

    def collect(self) -> Iterable[Samples]:
        return self._families


def merge_expositions(parts: Mapping[str, str], form: Form = Form.PLAIN) -> str:
    """Return the texts of several processes as one, each sample with the label ``part`` that says whose it is.

    ``parts`` holds texts as ``Meter.expose`` gives them, by the name of the process: in this form, or plain.
    """
    if form is Form.OPEN_METRICS:
        parts = {part: as_open_metrics(text) for part, text in parts.items()}
    headings: dict[str, list[str]] = {}
    samples: dict[str, list[str]] = {}
    for part, text in parts.items():
        family = ""
        for line in text.splitlines():
            if line == _END:
                continue
            if line.startswith("# "):
                family = line.split(" ", 3)[2]
                known = headings.setdefault(family, [])
                if line not in known:
                    known.append(line)
            elif line:
                samples.setdefault(family, []).append(_with_part(line, part))
    lines = itertools.chain.from_iterable([*headings[name], *samples.get(name, [])] for name in headings)
    return "\n".join([*lines, _END] if form is Form.OPEN_METRICS else lines) + "\n"


def as_open_metrics(text: str) -> str:
    """Return a plain text as OpenMetrics: there the family of a counter is called as it is without ``_total``."""
    if text.endswith(f"{_END}\n"):
        return text
    lines = text.splitlines()
    counters = {words[2] for line in lines if line.startswith("# TYPE ") and (words := line.split())[3] == "counter"}
    return "\n".join([*(_renamed(line, counters) for line in lines), _END]) + "\n"


def _renamed(line: str, counters: Set[str]) -> str:
    if not line.startswith("# "):
        return line
    sign, word, name, *more = line.split(" ", 3)
    return " ".join((sign, word, name.removesuffix("_total") if name in counters else name, *more))


def _with_part(sample: str, part: str) -> str:
    brace, blank = sample.find("{"), sample.find(" ")
    if 0 <= brace < blank:
        return f'{sample[: brace + 1]}part="{part}",{sample[brace + 1 :]}'
    return f'{sample[:blank]}{{part="{part}"}}{sample[blank:]}'


def _declare(metric: Metric, registry: CollectorRegistry) -> _Family:
    names = tuple(metric.labels)
    match metric.kind:
        case Kind.COUNTER:
            family: _Family = Counter(metric.name, metric.meaning, names, registry=registry)
        case Kind.GAUGE:
            family = Gauge(metric.name, metric.meaning, names, registry=registry)
        case Kind.HISTOGRAM:
            family = Histogram(metric.name, metric.meaning, names, buckets=metric.buckets, registry=registry)
    if names:
        for values in itertools.product(*metric.labels.values()):
            family.labels(*values)
    return family
