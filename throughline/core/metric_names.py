"""Every metric of Throughline, declared once; docs, dashboards and rules are checked against these.

Names follow Prometheus: a unit at the end, ``_total`` for what only grows. Label values are the words that answers,
logs and pages use for the same thing.
"""

from __future__ import annotations

from collections.abc import Mapping

from throughline.core.metrics import Kind, Metric, Part

DOORS = ("cloudevents", "otlp_http", "otlp_grpc", "json")
REQUEST_OUTCOMES = (
    "accepted",
    "malformed",
    "unauthenticated",
    "forbidden",
    "not_found",
    "method_not_allowed",
    "too_slow",
    "too_large",
    "headers_too_large",
    "unsupported",
    "all_set_aside",
    "rate_limited",
    "failed_too_often",
    "overloaded",
    "unavailable",
)
SET_ASIDE_REASONS = (
    "no_event",
    "missing_identity",
    "reserved_type",
    "bad_text",
    "no_time",
    "bad_time",
    "time_ahead",
    "bad_number",
    "bad_currency",
    "bad_outcome",
    "bad_error",
    "bad_relation",
    "bad_field",
    "too_large",
    "mapping_failed",
    "bad_span_id",
)
SIGN_IN_FAULTS = ("no_token", "unknown_token", "expired_token", "bad_signature")
REPLAY_OUTCOMES = ("taken", "set_aside")
FOLD_OUTCOMES = ("new", "duplicate", "replaced", "too_old")
CASE_STATES = ("open", "done", "ended", "provisional", "not_applicable")
DEVIATION_KINDS = (
    "overdue",
    "failed",
    "duplicate",
    "skipped",
    "out_of_order",
    "missing_master_data",
    "conflicting_keys",
    "policy_violation",
    "orphan",
)
PARTS = tuple(part.value for part in Part)
ANSWER_CLASSES = ("2xx", "3xx", "4xx", "5xx")

# From a tenth of the goal of performance.md to where a sender gives up.
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_COUNTS = (1.0, 10.0, 100.0, 500.0, 1_000.0, 2_000.0, 5_000.0, 10_000.0, 50_000.0)
_DOOR = {"door": DOORS}


Labels = Mapping[str, tuple[str, ...]]


def _collector(name: str, kind: Kind, meaning: str, unit: str = "", labels: Labels | None = None) -> Metric:
    return Metric(name, kind, Part.COLLECTOR, meaning, unit, labels or {}, _buckets(kind, unit))


def _engine(name: str, kind: Kind, meaning: str, unit: str = "", labels: Labels | None = None) -> Metric:
    return Metric(name, kind, Part.ENGINE, meaning, unit, labels or {}, _buckets(kind, unit))


def _api(name: str, kind: Kind, meaning: str, unit: str = "", labels: Labels | None = None) -> Metric:
    return Metric(name, kind, Part.API, meaning, unit, labels or {}, _buckets(kind, unit))


def _watch(name: str, kind: Kind, meaning: str, unit: str = "", labels: Labels | None = None) -> Metric:
    return Metric(name, kind, Part.WATCH, meaning, unit, labels or {}, _buckets(kind, unit))


def _buckets(kind: Kind, unit: str) -> tuple[float, ...]:
    if kind is not Kind.HISTOGRAM:
        return ()
    return _SECONDS if unit == "seconds" else _COUNTS


REQUESTS = _collector(
    "throughline_requests_total",
    Kind.COUNTER,
    "Requests answered, by the door they came in at and what became of them.",
    labels={**_DOOR, "outcome": REQUEST_OUTCOMES},
)
ACKNOWLEDGE_SECONDS = _collector(
    "throughline_acknowledge_seconds",
    Kind.HISTOGRAM,
    "From the whole request received to its answer, the commit to disk included.",
    "seconds",
    labels=_DOOR,
)
RECEIVED_BYTES = _collector(
    "throughline_received_bytes_total", Kind.COUNTER, "Bytes of request bodies, as sent.", "bytes", labels=_DOOR
)
RECEIVED_EVENTS = _collector(
    "throughline_received_events_total", Kind.COUNTER, "Business events taken into the journal.", labels=_DOOR
)
RECEIVED_SPANS = _collector(
    "throughline_received_spans_total", Kind.COUNTER, "Spans taken into the journal.", labels=_DOOR
)
RECEIVED_LOG_RECORDS = _collector(
    "throughline_received_log_records_total", Kind.COUNTER, "Log records taken into the journal.", labels=_DOOR
)
REFUSED_METRIC_POINTS = _collector(
    "throughline_refused_metric_points_total",
    Kind.COUNTER,
    "OTLP metric points answered by partial success, as Throughline keeps none.",
    labels=_DOOR,
)
SET_ASIDE = _collector(
    "throughline_set_aside_total",
    Kind.COUNTER,
    "Events and spans set aside because they cannot be read, by reason.",
    labels={**_DOOR, "reason": SET_ASIDE_REASONS},
)
REPLAYS = _collector(
    "throughline_replays_total",
    Kind.COUNTER,
    "Set-aside events that went the same way again, by what came of it.",
    labels={"outcome": REPLAY_OUTCOMES},
)
FAILED_SIGN_INS = _collector(
    "throughline_failed_sign_ins_total",
    Kind.COUNTER,
    "Requests that showed no token known at a door, or no signature, by reason.",
    labels={**_DOOR, "reason": SIGN_IN_FAULTS},
)
GUARD_FILE_FAULTS = _collector(
    "throughline_guard_file_faults",
    Kind.GAUGE,
    "Faults of the files of tokens and TLS as they stand; while there are some, what they said before stays in force.",
    "faults",
)
IGNORED_TRACEPARENTS = _collector(
    "throughline_ignored_traceparents_total",
    Kind.COUNTER,
    "Events taken without their traceparent or traceid, as it names no trace.",
    labels=_DOOR,
)
CONNECTIONS = _collector("throughline_connections", Kind.GAUGE, "Connections open at a door.", labels=_DOOR)
COMMIT_SECONDS = _collector(
    "throughline_journal_commit_seconds", Kind.HISTOGRAM, "Time of one group commit, fsync included.", "seconds"
)
COMMIT_REQUESTS = _collector(
    "throughline_journal_commit_requests", Kind.HISTOGRAM, "Requests that shared one group commit.", "requests"
)
COMMIT_FAILURES = _collector(
    "throughline_journal_commit_failures_total", Kind.COUNTER, "Group commits that the disk refused."
)
QUEUE_REQUESTS = _collector(
    "throughline_journal_queue_requests", Kind.GAUGE, "Requests waiting for a commit.", "requests"
)
QUEUE_BYTES = _collector("throughline_journal_queue_bytes", Kind.GAUGE, "Bytes waiting for a commit.", "bytes")
IN_HAND_BYTES = _collector(
    "throughline_in_hand_bytes", Kind.GAUGE, "Bytes of bodies being received or answered, at all doors.", "bytes"
)
JOURNAL_POSITION = _collector("throughline_journal_position", Kind.GAUGE, "Number of the journal's last record.")
JOURNAL_BYTES = _collector("throughline_journal_bytes", Kind.GAUGE, "Size of journal.db.", "bytes")

FOLDED_EVENTS = _engine(
    "throughline_folded_events_total",
    Kind.COUNTER,
    "Events read from the journal: new, seen before, put in the place of a later arrival, or of a time no longer kept.",
    labels={"outcome": FOLD_OUTCOMES},
)
FOLDED_POSITION = _engine("throughline_folded_position", Kind.GAUGE, "Number of the last journal record folded.")
FOLD_SECONDS = _engine("throughline_fold_seconds", Kind.HISTOGRAM, "Time to fold and commit one batch.", "seconds")
FOLD_EVENTS = _engine("throughline_fold_events", Kind.HISTOGRAM, "Events in one batch.", "events")
DERIVED_CASES = _engine("throughline_derived_cases_total", Kind.COUNTER, "Times that the state of a case was derived.")
DEFERRED_CASES = _engine(
    "throughline_deferred_cases",
    Kind.GAUGE,
    "Cases still to be derived after an event that reached very many.",
    "cases",
)
CASES = _engine("throughline_cases", Kind.GAUGE, "Cases by state.", "cases", labels={"state": CASE_STATES})
DEVIATIONS = _engine(
    "throughline_deviations", Kind.GAUGE, "Open deviations by kind.", "deviations", labels={"kind": DEVIATION_KINDS}
)
TICK_SECONDS = _engine("throughline_tick_seconds", Kind.HISTOGRAM, "Time of one look at what is due.", "seconds")
DUE_CASES = _engine("throughline_due_cases_total", Kind.COUNTER, "Cases derived because a time of theirs had come.")
RETIRED_CASES = _engine("throughline_retired_cases_total", Kind.COUNTER, "Closed cases that are no longer kept.")
RETIRED_EVENTS = _engine("throughline_retired_events_total", Kind.COUNTER, "Events that are no longer kept.")
RETENTION_SECONDS = _engine(
    "throughline_retention_seconds",
    Kind.HISTOGRAM,
    "Time of one piece of a sweep for what is no longer kept.",
    "seconds",
)
STORE_BYTES = _engine("throughline_store_bytes", Kind.GAUGE, "Size of the store.", "bytes")

KPI_CASES = _watch(
    "throughline_kpi_cases_total", Kind.COUNTER, "Times that a case was looked at for its part in the KPIs."
)
KPI_SECONDS = _watch(
    "throughline_kpi_follow_seconds", Kind.HISTOGRAM, "Time to bring the KPIs up to date with some cases.", "seconds"
)
KPI_BEHIND = _watch(
    "throughline_kpi_behind_changes", Kind.GAUGE, "Saves of cases that the KPIs have not been brought up to.", "changes"
)
KPI_WALKING = _watch(
    "throughline_kpi_walking",
    Kind.GAUGE,
    "1 while every case is looked at anew, as a declaration or the store changed.",
)
KPI_LATEST_SECONDS = _watch(
    "throughline_kpi_latest_seconds", Kind.HISTOGRAM, "Time to make the readings of now of all KPIs.", "seconds"
)
KPI_PUBLISHED = _watch(
    "throughline_kpi_published_total",
    Kind.COUNTER,
    "Figures of days and months published, restated ones included.",
)
KPI_BYTES = _watch("throughline_kpi_store_bytes", Kind.GAUGE, "Bytes that the tables of KPIs take.", "bytes")

API_REQUESTS = _api(
    "throughline_api_requests_total",
    Kind.COUNTER,
    "Queries answered, by class of status.",
    labels={"status": ANSWER_CLASSES},
)
API_FAILED_SIGN_INS = _api(
    "throughline_api_failed_sign_ins_total",
    Kind.COUNTER,
    "Queries that showed no token known here, by reason.",
    labels={"reason": SIGN_IN_FAULTS},
)
API_GUARD_FILE_FAULTS = _api(
    "throughline_api_guard_file_faults",
    Kind.GAUGE,
    "As throughline_guard_file_faults, as the API reads them.",
    "faults",
)
READY = _api(
    "throughline_ready",
    Kind.GAUGE,
    "1 while a part does its work, else 0; /readyz says why it does not.",
    labels={"of": PARTS},
)
FOLD_LAG_RECORDS = _api("throughline_fold_lag_records", Kind.GAUGE, "Journal records not folded yet.", "records")
FOLD_LAG_SECONDS = _api(
    "throughline_fold_lag_seconds", Kind.GAUGE, "Age of the oldest journal record not folded yet.", "seconds"
)
BLIND_SOURCES = _api(
    "throughline_blind_sources", Kind.GAUGE, "Declared sources silent for longer than their cadence.", "sources"
)
DISK_FREE_BYTES = _api("throughline_disk_free_bytes", Kind.GAUGE, "Space left on the data folder's disk.", "bytes")
DISK_KEPT_FREE_BYTES = _api(
    "throughline_disk_kept_free_bytes", Kind.GAUGE, "The setting free_bytes: below it doors refuse.", "bytes"
)
API_SECONDS = _api("throughline_api_seconds", Kind.HISTOGRAM, "Time to answer a query.", "seconds")

METRICS: tuple[Metric, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Metric))
