"""Who may send, what and how much: known tokens, their scopes, sources, mappings and limits, and what is counted."""

from __future__ import annotations

import pytest

from collector.admission import LONGEST_WAIT, Admission
from collector.counts import new_counts
from collector.reading import Door, Reading, Refusal, Refused, Rejected
from collector.setaside import Reason, SetAside
from tests.tokens import Token, person, sender, sign_ins
from throughline.core.event import Event
from throughline.core.guards import NO_GUARDS

SECRET = "a-secret-of-psa-s"
SHOWN = f"Bearer {SECRET}"
PEER = "10.0.0.1"


class Ticking:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def admission(clock: Ticking | None = None, **tokens: Token) -> Admission:
    return Admission(sign_ins(**tokens), new_counts(), "the secret of this serve", clock or Ticking())


def refusal(admission: Admission, shown: str = SHOWN, mapping: str | None = None) -> Refused:
    with pytest.raises(Refused) as caught:
        admission.admit(Door.CLOUDEVENTS, shown, PEER, mapping)
    return caught.value


def event(source: str) -> Event:
    return Event(source, "1", "time.submitted", time=0, received=0, digest=b"", failed=False, fields={})


def test_without_tokens_everybody_is_their_address() -> None:
    everybody = Admission(NO_GUARDS.sign_ins, new_counts())
    permit = everybody.admit(Door.CLOUDEVENTS, "", PEER)
    permit.weigh(Reading(events=[event("/any")]))
    assert permit.sender == PEER
    everybody.look("", PEER)


def test_a_known_sender_is_called_by_name() -> None:
    assert admission(psa=sender(SECRET)).admit(Door.CLOUDEVENTS, SHOWN, PEER).sender == "psa"


@pytest.mark.parametrize(("shown", "sentence"), [("", "seen no token"), ("Bearer nope", "that is not known here")])
def test_who_shows_no_known_token_is_refused(shown: str, sentence: str) -> None:
    refused = refusal(admission(psa=sender(SECRET)), shown)
    assert refused.refusal is Refusal.UNAUTHENTICATED
    assert sentence in refused.sentence
    assert "nope" not in refused.sentence


def test_a_token_without_the_scope_is_refused_with_what_was_wanted() -> None:
    refused = refusal(admission(ana=person(SECRET)))
    assert (refused.refusal, refused.sentence) == (
        Refusal.FORBIDDEN,
        "the token of ana has the scope read, write, wanted ingest",
    )


def test_a_token_for_some_mappings_is_for_no_other() -> None:
    limited = admission(psa=sender(SECRET, mappings=["erp-invoice", "desk"]))
    assert limited.admit(Door.JSON, SHOWN, PEER, "desk").sender == "psa"
    refused = refusal(limited, mapping="crm")
    assert refused.refusal is Refusal.FORBIDDEN
    assert "wanted desk, erp-invoice" in refused.sentence


def test_events_of_a_source_that_is_not_the_sender_s_are_refused_also_where_they_cannot_be_read() -> None:
    permit = admission(psa=sender(SECRET, sources=["/psa/*"])).admit(Door.CLOUDEVENTS, SHOWN, PEER)
    permit.weigh(Reading(events=[event("/psa/emea"), event("/psa/amer")]))
    bad = Rejected(0, SetAside(Reason.BAD_TIME, "no time"), "", b"", source="/erp")
    for reading in (Reading(events=[event("/psa/emea"), event("/erp")]), Reading(rejected=[bad])):
        with pytest.raises(Refused, match="'/erp', which psa may not send; wanted /psa/") as caught:
            permit.weigh(reading)
        assert caught.value.refusal is Refusal.FORBIDDEN


def test_a_sender_beyond_its_limit_waits_and_the_others_do_not() -> None:
    clock = Ticking()
    doors = admission(clock, psa=sender(SECRET, rate=10, burst=20), erp=sender("a-secret-of-erp-s"))
    doors.admit(Door.CLOUDEVENTS, SHOWN, PEER).weigh(Reading(events=[event("/psa")] * 120))
    refused = refusal(doors)
    assert (refused.refusal, refused.retry_after) == (Refusal.RATE_LIMITED, 11)
    assert refused.sentence == "psa sends more than the 10 records a second of its token"
    for _ in range(1_000):
        doors.admit(Door.CLOUDEVENTS, "Bearer a-secret-of-erp-s", PEER)
    clock.now = 11.0
    doors.admit(Door.CLOUDEVENTS, SHOWN, PEER)


def test_each_request_counts_as_one_record_at_least_and_nobody_is_sent_away_for_long() -> None:
    doors = admission(psa=sender(SECRET, rate=0.001, burst=3))
    for _ in range(3):
        doors.admit(Door.CLOUDEVENTS, SHOWN, PEER).weigh(Reading())
    assert refusal(doors).retry_after == LONGEST_WAIT


def test_a_sender_has_one_limit_whatever_secret_it_shows() -> None:
    doors = admission(psa=sender(SECRET, "another-of-psa-s", rate=1, burst=1))
    doors.admit(Door.CLOUDEVENTS, SHOWN, PEER)
    assert refusal(doors, "Bearer another-of-psa-s").refusal is Refusal.RATE_LIMITED


def test_failed_sign_ins_are_counted_and_slowed_down_and_never_a_known_token() -> None:
    counts = new_counts()
    doors = Admission(sign_ins(psa=sender(SECRET)), counts, monotonic=Ticking())
    refusals = [refusal(doors, "Bearer nope") for _ in range(100)]
    assert {refused.refusal for refused in refusals[:20]} == {Refusal.UNAUTHENTICATED}
    assert {refused.refusal for refused in refusals[20:]} <= {Refusal.FAILED_TOO_OFTEN, Refusal.UNAUTHENTICATED}
    assert refusals[-1].refusal is Refusal.FAILED_TOO_OFTEN
    assert (refusals[-1].retry_after or 0) > 0
    assert doors.admit(Door.CLOUDEVENTS, SHOWN, PEER).sender == "psa"
    series = 'throughline_failed_sign_ins_total{door="cloudevents",reason="unknown_token"} 100.0'
    assert series in counts.expose((0, 0), 0, 0, 0)


def test_an_unsigned_webhook_is_a_failed_sign_in() -> None:
    counts = new_counts()
    doors = Admission(sign_ins(), counts)
    given = Refused(Refusal.UNAUTHENTICATED, "wanted a header X-Signature")
    assert doors.unsigned(given, PEER) is given
    assert 'throughline_failed_sign_ins_total{door="json",reason="bad_signature"} 1.0' in counts.expose((0, 0), 0, 0, 0)


def test_metrics_are_shown_to_who_may_read_and_to_our_own_parts() -> None:
    doors = admission(psa=sender(SECRET), grafana=sender("a-secret-of-grafana-s", scopes=("read",)))
    doors.look("Bearer a-secret-of-grafana-s", PEER)
    doors.look("Bearer the secret of this serve", PEER)
    for shown, wanted in (
        (SHOWN, Refusal.FORBIDDEN),
        ("Bearer ", Refusal.UNAUTHENTICATED),
    ):
        with pytest.raises(Refused) as caught:
            doors.look(shown, PEER)
        assert caught.value.refusal is wanted
