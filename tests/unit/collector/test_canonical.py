"""What a sender wrote becomes one canonical event, or a reason why not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.canonical import MOST_AHEAD, Envelope, canonical_event
from collector.setaside import Reason, SetAside
from throughline.core.event import Event, Failure, Relation, content_digest
from throughline.core.instants import DAY, parse_instant
from throughline.core.number import Number

RECEIVED = parse_instant("2026-11-02T16:05:00Z")


def envelope(**changed: Any) -> Envelope:
    given = {"source": "/psa/emea", "id": "e-1", "type": "time.approved", "time": "2026-11-02T16:04:11.120Z"}
    return Envelope(**(given | changed))


def event(data: dict[str, Any] | None = None, **changed: Any) -> Event:
    outcome = canonical_event(envelope(**changed), data or {}, RECEIVED)
    assert isinstance(outcome, Event), outcome
    return outcome


def reason(data: dict[str, Any] | None = None, **changed: Any) -> Reason:
    outcome = canonical_event(envelope(**changed), data or {}, RECEIVED)
    assert isinstance(outcome, SetAside)
    return outcome.reason


def test_it_keeps_keys_and_facts_as_fields_and_gives_the_rest_its_own_place() -> None:
    taken = event(
        {
            "time_entry": "TE-88",
            "billable": True,
            "rate": 150,
            "region": "EMEA",
            "hours": "7.5",
            "amount": "1125.00",
            "currency": "EUR",
            "system": "psa",
            "instance": "kantata-emea",
            "flow": "psa-erp-time",
            "outcome": "success",
        },
        subject="TE-88",
        recorded="2026-11-02T16:04:12Z",
        causation_id="01H",
    )
    assert taken.fields == {"time_entry": "TE-88", "billable": True, "rate": 150, "region": "EMEA"}
    assert (taken.amount, taken.currency, taken.hours) == ("1125.00", "EUR", "7.5")
    assert (taken.system, taken.instance, taken.flow) == ("psa", "kantata-emea", "psa-erp-time")
    assert (taken.subject, taken.causation_id, taken.failed, taken.error) == ("TE-88", "01H", False, None)
    assert taken.time == parse_instant("2026-11-02T16:04:11.120Z")
    assert taken.recorded == parse_instant("2026-11-02T16:04:12Z")
    assert taken.received == RECEIVED
    assert taken.digest == content_digest(taken)


def test_equal_contents_have_equal_digests_whatever_the_order_of_fields_and_the_receipt() -> None:
    one = canonical_event(envelope(), {"a": "1", "b": "2"}, RECEIVED)
    other = canonical_event(envelope(), {"b": "2", "a": "1"}, RECEIVED + 7)
    changed = canonical_event(envelope(), {"a": "1", "b": "3"}, RECEIVED)
    assert isinstance(one, Event)
    assert isinstance(other, Event)
    assert isinstance(changed, Event)
    assert one.digest == other.digest
    assert one.digest != changed.digest


@pytest.mark.parametrize("missing", ["source", "id", "type"])
@pytest.mark.parametrize("value", [None, "", 7, Number("1.5"), ["x"]])
def test_an_event_without_identity_is_set_aside(missing: str, value: object) -> None:
    assert reason(**{missing: value}) is Reason.MISSING_IDENTITY


@pytest.mark.parametrize("part", ["source", "id", "type"])
@pytest.mark.parametrize("value", ["a\x00b", "a\nb", " ", "a\x1fb", "a\tb", "\u00a0", "a\x85b"])
def test_control_characters_in_an_identity_set_it_aside(part: str, value: str) -> None:
    assert reason(**{part: value}) is Reason.BAD_TEXT


@pytest.mark.parametrize("part", ["source", "id", "type"])
@pytest.mark.parametrize("value", ["a\u00a0b", "a\u3000b", "a\u200cb", "a\u00adb"])
def test_spaces_and_joiners_of_any_script_may_stand_in_an_identity(part: str, value: str) -> None:
    assert getattr(event(**{part: value}), part) == value


def test_types_of_our_own_are_refused() -> None:
    assert reason(type="throughline.statement") is Reason.RESERVED_TYPE
    assert event(type="throughlines.other").type == "throughlines.other"


def test_recordedtime_counts_where_time_is_missing() -> None:
    taken = event(time=None, recorded="2026-11-02T16:04:12Z")
    assert taken.time == taken.recorded == parse_instant("2026-11-02T16:04:12Z")


def test_without_any_time_it_is_set_aside() -> None:
    assert reason(time=None) is Reason.NO_TIME


@pytest.mark.parametrize(
    "time",
    ["2026-11-02T16:04:11", "2026-11-02", "yesterday", "2026-13-02T16:04:11Z", "1969-12-31T23:59:59Z", 1.5, ["x"], -1],
)
def test_a_time_that_is_none_is_set_aside_and_not_guessed(time: object) -> None:
    assert reason(time=time) is Reason.BAD_TIME


def test_a_time_more_than_ten_minutes_ahead_of_its_receipt_is_set_aside() -> None:
    assert event(time=RECEIVED + MOST_AHEAD).time == RECEIVED + MOST_AHEAD
    assert reason(time=RECEIVED + MOST_AHEAD + 1) is Reason.TIME_AHEAD
    assert reason(time="2062-01-01T00:00:00Z") is Reason.TIME_AHEAD
    assert reason(recorded="2062-01-01T00:00:00Z") is Reason.TIME_AHEAD


def test_old_times_are_times() -> None:
    assert event(time="1970-01-01T00:00:00Z").time == 0


@pytest.mark.parametrize("amount", ["1125.00", "-3", "0", "1e3", Number("1125.00"), Number("1E+2"), 1125, 12.5])
def test_an_amount_keeps_the_text_it_was_written_with(amount: object) -> None:
    assert event({"amount": amount, "currency": "EUR"}).amount == str(amount)


@pytest.mark.parametrize(
    "amount",
    ["", "1,125.00", " 1", "NaN", "Infinity", "1e999", "1e31", "9" * 41, True, ["1"], {}, float("nan"), float("inf")],
)
def test_what_is_no_plain_decimal_is_no_amount(amount: object) -> None:
    assert reason({"amount": amount, "currency": "EUR"}) is Reason.BAD_NUMBER


@pytest.mark.parametrize("hours", ["7.5", Number("7.50"), 8])
def test_hours_need_no_currency(hours: object) -> None:
    assert event({"hours": hours}).hours == str(hours)


def test_an_amount_without_currency_is_set_aside() -> None:
    assert reason({"amount": "1"}) is Reason.BAD_CURRENCY
    assert reason({"amounts": {"TE-88": "1"}}) is Reason.BAD_CURRENCY


@pytest.mark.parametrize("currency", ["EURO", "eur", "", 978, ["EUR"], "XXY"])
def test_only_codes_of_iso_4217_are_currencies(currency: object) -> None:
    assert reason({"amount": "1", "currency": currency}) is Reason.BAD_CURRENCY


def test_amounts_are_read_by_name() -> None:
    taken = event({"amounts": {"TE-88": "1125.00", "TE-89": 3, "TE-90": None}, "currency": "EUR"})
    assert taken.amounts == {"TE-88": "1125.00", "TE-89": "3"}
    assert event({"amounts": '{"TE-88": 1.10}', "currency": "EUR"}).amounts == {"TE-88": "1.10"}


@pytest.mark.parametrize("amounts", [[], "x", 5, {"TE-88": "much"}, {"": "1"}])
def test_amounts_of_another_form_set_the_event_aside(amounts: object) -> None:
    assert reason({"amounts": amounts, "currency": "EUR"}) is Reason.BAD_NUMBER


def test_a_failure_has_an_error_and_an_unknown_one_says_so() -> None:
    stated = {"category": "timeout", "code": "E7", "message": "no answer", "retryable": True, "attempt": 3}
    assert event({"outcome": "failure", "error": stated}).error == Failure("timeout", "E7", "no answer", True, 3)
    silent = event({"outcome": "failure"})
    assert silent.failed
    assert silent.error == Failure("unknown")


@pytest.mark.parametrize("outcome", ["failed", "SUCCESS", True, 1, []])
def test_an_outcome_is_success_or_failure(outcome: object) -> None:
    assert reason({"outcome": outcome}) is Reason.BAD_OUTCOME


@pytest.mark.parametrize(
    "error", ["boom", 1, [], {"category": "network"}, {"category": 3}, {"retryable": "maybe"}, {"attempt": "two"}]
)
def test_an_error_of_another_form_sets_the_event_aside(error: object) -> None:
    assert reason({"outcome": "failure", "error": error}) is Reason.BAD_ERROR


def test_relations_state_pairs_with_the_scope_of_their_ends() -> None:
    taken = event(
        {
            "relations": [
                {
                    "from": {"invoice": "INV-33", "legal_entity": "DE01"},
                    "to": {"time_entry": 88},
                    "qualifier": "bills",
                },
                {"from": {"invoice": "INV-1"}, "to": {"scope": {"legal_entity": "FR01"}, "invoice": "INV-2"}},
                {"from": {"invoice": "INV-1"}, "to": {"time_entry": None}},
            ]
        }
    )
    assert taken.relations == [
        Relation("invoice", "INV-33", "time_entry", "88", "bills", {"legal_entity": "DE01"}, None),
        Relation("invoice", "INV-1", "invoice", "INV-2", None, None, {"legal_entity": "FR01"}),
        Relation("invoice", "INV-1", "time_entry", ""),
    ]


@pytest.mark.parametrize(
    "relations",
    [
        {},
        "x",
        ["x"],
        [{}],
        [{"from": {"a": "1"}}],
        [{"from": {}, "to": {"b": "1"}}],
        [{"from": {"a": ["1"]}, "to": {"b": "1"}}],
        [{"from": {"a": "1"}, "to": {"b": "1"}, "qualifier": 5}],
        [{"from": {"scope": {"x": "1"}}, "to": {"b": "1"}}],
        [{"from": {"": "1"}, "to": {"b": "1"}}],
    ],
)
def test_a_malformed_relation_sets_the_event_aside(relations: object) -> None:
    assert reason({"relations": relations}) is Reason.BAD_RELATION


def test_null_scalars_are_absent_and_a_null_element_is_the_empty_text() -> None:
    taken = event({"project": None, "time_entry": ["TE-88", None, 7, Number("1.50"), True]})
    assert taken.fields == {"time_entry": ["TE-88", "", "7", "1.50", "true"]}


def test_numbers_keep_their_text_where_it_says_more() -> None:
    taken = event({"a": Number("1.50"), "b": Number("2.5"), "c": 10**20, "d": 7})
    assert taken.fields == {"a": 1.5, "b": 2.5, "c": 1e20, "d": 7}
    assert [taken.text(name) for name in "abcd"] == ["1.50", "2.5", str(10**20), "7"]
    assert taken.texts is not None
    assert set(taken.texts) == {"a", "c"}


def test_objects_and_arrays_of_objects_are_no_facts() -> None:
    assert event({"lines": [{"a": 1}], "address": {"city": "x"}, "blob": b"x", "tags": ["x", ["y"]]}).fields == {}


@pytest.mark.parametrize("number", [Number("1e400"), float("inf"), float("nan"), 10**400])
def test_a_number_beyond_all_bounds_is_a_fault(number: object) -> None:
    assert reason({"rate": number}) is Reason.BAD_NUMBER


@pytest.mark.parametrize(
    "data",
    [
        {"note": "x" * 8_193},
        {"time_entry": ["x" * 1_025]},
        {"time_entry": ["x"] * 10_001},
        {"x" * 257: "y"},
        {f"f{number}": "x" for number in range(1_001)},
        {"system": "x" * 1_025},
        {"amounts": {f"n{number}": "1" for number in range(10_001)}, "currency": "EUR"},
        {"relations": [{"from": {"a": "x" * 1_025}, "to": {"b": "1"}}]},
    ],
)
def test_what_is_too_large_is_set_aside_and_never_cut(data: dict[str, Any]) -> None:
    assert reason(data) is Reason.TOO_LARGE


@pytest.mark.parametrize("part", ["source", "id", "type", "system", "instance", "flow", "subject"])
def test_a_member_with_a_place_of_its_own_is_as_long_as_an_index_of_a_database_takes(part: str) -> None:
    assert isinstance(canonical_event(envelope(**{part: "/" + "客" * 341}), {}, RECEIVED, 64), Event)
    beyond = canonical_event(envelope(**{part: "/" + "客" * 342}), {}, RECEIVED, 64)
    assert isinstance(beyond, SetAside)
    assert beyond.reason is Reason.TOO_LARGE
    assert "seen 1,027 bytes in UTF-8, wanted at most 1,024" in beyond.sentence


def test_what_just_fits_is_taken_whole() -> None:
    taken = event({"note": "x" * 8_192, "time_entry": ["x" * 1_024] * 10_000})
    assert len(str(taken.fields["note"])) == 8_192
    assert len(taken.fields["time_entry"]) == 10_000  # type: ignore[arg-type]


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


def test_values_nest_as_deep_as_is_allowed() -> None:
    within = canonical_event(envelope(), {"x": nested(64)}, RECEIVED, 64)
    beyond = canonical_event(envelope(), {"x": nested(65)}, RECEIVED, 64)
    hidden = canonical_event(envelope(), {"x": {"y": nested(64)}}, RECEIVED, 64)
    assert isinstance(within, Event)
    assert isinstance(beyond, SetAside)
    assert beyond.reason is Reason.TOO_LARGE
    assert isinstance(hidden, SetAside)


def test_correlation_ids_of_the_envelope_join_the_events_own() -> None:
    assert event(correlation_ids=("c-1",)).fields == {"correlation_id": "c-1"}
    assert event({"correlation_id": "c-1"}, correlation_ids=("c-1",)).fields == {"correlation_id": "c-1"}
    joined = event({"correlation_id": ["c-0", "c-1"]}, correlation_ids=("c-1", "c-2"))
    assert joined.fields == {"correlation_id": ["c-0", "c-1", "c-2"]}


def test_facts_of_the_envelope_stand_behind_the_events_own() -> None:
    taken = event({"bampid": "own"}, facts={"bampid": "billing", "bamptxid": "t"})
    assert taken.fields == {"bampid": "own", "bamptxid": "t"}


def test_probe_traffic_says_so_in_data_or_envelope() -> None:
    assert event({"synthetic": True}).synthetic
    assert event({"synthetic": "true"}).synthetic
    assert event(synthetic="true").synthetic
    assert not event({"synthetic": False}).synthetic
    assert reason({"synthetic": "maybe"}) is Reason.BAD_FIELD


def test_a_sequence_comes_from_the_envelope_or_a_control_number() -> None:
    assert event({"control_number": 17}).sequence == "17"
    assert event({"control_number": 17}).fields == {"control_number": 17}
    assert event({"control_number": 17}, sequence="0018").sequence == "0018"


@pytest.mark.parametrize("until", [None, 5, "soon", "2026-11-02T17:00:00Z"])
def test_a_heartbeat_says_up_to_when_and_not_beyond_now(until: object) -> None:
    assert reason({"until": until}, type="source.heartbeat") in (Reason.BAD_TIME, Reason.TIME_AHEAD)


def test_a_heartbeat_keeps_its_until() -> None:
    assert event({"until": "2026-11-02T16:00:00Z"}, type="source.heartbeat").fields == {"until": "2026-11-02T16:00:00Z"}


def test_where_it_happened_is_text_and_falls_back_to_the_envelope() -> None:
    assert event({"system": 5}).system == "5"
    assert event(system="erp").system == "erp"
    assert event({"system": "psa"}, system="erp").system == "psa"
    assert reason({"flow": ["x"]}) is Reason.BAD_FIELD


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.builds(Number, st.text()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
names = st.sampled_from(["amount", "amounts", "currency", "error", "relations", "outcome", "synthetic", "until", "x"])


@given(
    st.dictionaries(names | st.text(), json_values, max_size=6),
    json_values,
    json_values,
    json_values,
    json_values,
    st.integers(0, RECEIVED + 400 * DAY),
)
def test_no_input_raises(data: dict[str, Any], source: Any, kind: Any, time: Any, subject: Any, received: int) -> None:
    given_envelope = Envelope(source, "e-1", kind, time, subject=subject)
    outcome = canonical_event(given_envelope, data, received)
    assert isinstance(outcome, Event | SetAside)
    if isinstance(outcome, Event):
        assert outcome.digest == content_digest(outcome)
