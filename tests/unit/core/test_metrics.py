"""Metrics are declared once, with closed lists of labels, and shown together for all processes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as text_string_to_open_metrics
from prometheus_client.parser import text_string_to_metric_families

from collector.reading import Door, Refusal
from collector.setaside import Reason
from lineage.fact import CaseState, DeviationKind
from throughline.core import metric_names as names
from throughline.core.metrics import TRACE, Form, Kind, Meter, Metric, Part, form_for, merge_expositions


def samples_of(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def sample(text: str, name: str, **labels: str) -> float:
    return samples_of(text)[name, frozenset(labels.items())]


@pytest.fixture
def meter() -> Meter:
    return Meter(Part.COLLECTOR, names.METRICS)


@pytest.mark.parametrize("metric", names.METRICS, ids=lambda metric: metric.name)
def test_every_metric_is_named_as_prometheus_wants(metric: Metric) -> None:
    assert re.fullmatch(r"throughline(_[a-z]+)+", metric.name)
    assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER)
    assert metric.name.removesuffix("_total").endswith(metric.unit)
    assert metric.meaning.endswith(".")
    assert bool(metric.buckets) == (metric.kind is Kind.HISTOGRAM)


def test_no_name_is_declared_twice_and_series_stay_few() -> None:
    assert len({metric.name for metric in names.METRICS}) == len(names.METRICS)
    series = [line for part in Part for line in Meter(part, names.METRICS).expose().splitlines() if line[0] != "#"]
    assert len(series) < 500


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        (names.DOORS, Door),
        (names.REQUEST_OUTCOMES, ["accepted", *Refusal]),
        (names.SET_ASIDE_REASONS, Reason),
        (names.CASE_STATES, CaseState),
        (names.DEVIATION_KINDS, DeviationKind),
    ],
    ids=["doors", "outcomes", "reasons", "states", "deviations"],
)
def test_labels_are_the_words_of_the_code(declared: tuple[str, ...], words: list[str]) -> None:
    assert set(declared) == {str(word) for word in words}


def test_every_metric_is_counted_by_somebody() -> None:
    """One that nobody counts would stay at zero, as if all was well."""
    product = Path(names.__file__).parents[2]
    texts = [
        path.read_text("utf-8")
        for folder in ("throughline", "collector", "lineage", "kpis")
        for path in (product / folder).rglob("*.py")
        if path != Path(names.__file__)
    ]
    declared = {name for name, value in vars(names).items() if isinstance(value, Metric)}
    assert {name for name in declared if not any(re.search(rf"\b{name}\b", text) for text in texts)} == set()


def test_every_series_is_there_at_zero_from_the_start(meter: Meter) -> None:
    text = meter.expose()
    assert sample(text, "throughline_requests_total", door="otlp_grpc", outcome="overloaded") == 0
    assert sample(text, "throughline_journal_queue_bytes") == 0
    assert "throughline_folded_position" not in text, "a metric of another part"
    assert "_created" not in text


def test_what_is_counted_is_shown(meter: Meter) -> None:
    meter.counter(names.REQUESTS, door="otlp_http", outcome="accepted").inc(3)
    meter.gauge(names.QUEUE_BYTES).set(77)
    meter.histogram(names.COMMIT_SECONDS).observe(0.002)
    text = meter.expose()
    assert sample(text, "throughline_requests_total", door="otlp_http", outcome="accepted") == 3
    assert sample(text, "throughline_journal_queue_bytes") == 77
    assert sample(text, "throughline_journal_commit_seconds_bucket", le="0.001") == 0
    assert sample(text, "throughline_journal_commit_seconds_bucket", le="0.0025") == 1


def test_two_meters_count_apart(meter: Meter) -> None:
    meter.gauge(names.QUEUE_BYTES).set(77)
    assert sample(Meter(Part.COLLECTOR, names.METRICS).expose(), "throughline_journal_queue_bytes") == 0


@pytest.mark.parametrize("labels", [{}, {"door": "cellar"}, {"door": "otlp_http", "case": "TS-88"}])
def test_a_label_that_was_not_declared_is_refused(meter: Meter, labels: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="has the labels"):
        meter.counter(names.RECEIVED_EVENTS, **labels)


def test_a_metric_of_another_kind_or_part_is_refused(meter: Meter) -> None:
    with pytest.raises(ValueError, match="is a gauge, no counter"):
        meter.counter(names.QUEUE_BYTES)
    with pytest.raises(ValueError, match="is a counter, no gauge"):
        meter.gauge(names.COMMIT_FAILURES)
    with pytest.raises(ValueError, match="is a counter, no histogram"):
        meter.histogram(names.COMMIT_FAILURES)
    with pytest.raises(ValueError, match="a metric of the engine"):
        meter.gauge(names.FOLDED_POSITION)


def test_processes_are_shown_together_each_under_its_name(meter: Meter) -> None:
    meter.counter(names.REQUESTS, door="otlp_http", outcome="accepted").inc(3)
    engine = Meter(Part.ENGINE, names.METRICS)
    engine.gauge(names.FOLDED_POSITION).set(5)
    text = merge_expositions({"collector": meter.expose(), "engine": engine.expose()})
    assert sample(text, "throughline_requests_total", part="collector", door="otlp_http", outcome="accepted") == 3
    assert sample(text, "throughline_folded_position", part="engine") == 5
    headings = [line for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(headings) == len(set(headings)), "a family stands in one place, whoever has it"
    memory = [key for key in samples_of(text) if key[0] == "process_resident_memory_bytes"]
    assert len(memory) in (0, 2), "each process its own, where the system tells"
    assert len(samples_of(text)) == len(samples_of(meter.expose())) + len(samples_of(engine.expose()))


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", Form.PLAIN),
        ("*/*", Form.PLAIN),
        ("text/plain;version=0.0.4;q=0.5,*/*;q=0.1", Form.PLAIN),
        ("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", Form.OPEN_METRICS),
    ],
)
def test_who_asks_gets_the_form_that_it_reads(accept: str, form: Form) -> None:
    assert form_for(accept) is form


def test_exemplars_are_told_where_there_is_room_for_them(meter: Meter) -> None:
    meter.histogram(names.ACKNOWLEDGE_SECONDS, door="json").observe(0.2, {TRACE: "4bf92f3577b34da6a3ce929d0e0e4736"})
    assert '# {trace_id="4bf92f3577b34da6a3ce929d0e0e4736"} 0.2' in meter.expose(Form.OPEN_METRICS)
    assert "4bf92f" not in meter.expose()


def test_parts_are_shown_together_in_open_metrics_whatever_form_they_tell(meter: Meter) -> None:
    meter.counter(names.REQUESTS, door="otlp_http", outcome="accepted").inc(3)
    meter.histogram(names.ACKNOWLEDGE_SECONDS, door="json").observe(0.2, {TRACE: "4bf92f3577b34da6a3ce929d0e0e4736"})
    engine = Meter(Part.ENGINE, names.METRICS)
    engine.counter(names.FOLDED_EVENTS, outcome="new").inc(5)
    parts = {"collector": meter.expose(Form.OPEN_METRICS), "engine": engine.expose()}
    text = merge_expositions(parts, Form.OPEN_METRICS)
    families = {family.name: family for family in text_string_to_open_metrics(text)}  # stops at what is not allowed
    labels = {"part": "collector", "door": "otlp_http", "outcome": "accepted"}
    (told,) = (each for each in families["throughline_requests"].samples if each.labels == labels)
    assert (told.name, told.value) == ("throughline_requests_total", 3)
    assert families["throughline_folded_events"].type == "counter"
    exemplars = [sample.exemplar for sample in families["throughline_acknowledge_seconds"].samples if sample.exemplar]
    assert [exemplar.labels for exemplar in exemplars] == [{"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736"}]
    plain = merge_expositions({"collector": meter.expose(), "engine": engine.expose()})
    assert text.count("\n") == plain.count("\n") + 1, "but for its end it tells the same"
    assert text.endswith("# EOF\n")
