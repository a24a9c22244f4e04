"""Nothing that a sender can send over HTTP breaks a serve: a clear answer each, and good traffic goes on."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from tests.hostile import cloudevents, otlp, webhooks
from tests.hostile.beset import Beset
from tests.hostile.http1 import answer_to, request
from tests.hostile.transport import Table, Wanted, spoilt
from tests.service.serving import serving

pytestmark = pytest.mark.xdist_group("hostile_http")

BODY_BYTES = 500_000
INFLATED_BYTES = 1_000_000
REQUEST_SECONDS = 3.0
LIMITS = {
    "--body-bytes": BODY_BYTES,
    "--inflated-bytes": INFLATED_BYTES,
    "--request-seconds": REQUEST_SECONDS,
    "--connections": 200,
}
WAYS = {
    "http": cloudevents.way(BODY_BYTES),
    "webhook": webhooks.way(BODY_BYTES),
    "otlp_http": otlp.way(BODY_BYTES),
}
DOORS = {"webhook": "http"}
TABLES: dict[str, Table] = {
    "http": cloudevents.TABLE,
    "webhook": webhooks.TABLE,
    "otlp_http": otlp.OVER_HTTP,
}
ROWS = [
    pytest.param(DOORS.get(way, way), sent, wanted, id=f"{way}: {name}")
    for way in WAYS
    for table in (spoilt(WAYS[way]), TABLES[way])
    for name, (sent, wanted) in table.items()
]


@pytest.fixture(scope="module")
def beset(tmp_path_factory: pytest.TempPathFactory) -> Generator[Beset]:
    folder = tmp_path_factory.mktemp("hostile")
    definitions = folder / "definitions"
    definitions.mkdir()
    for name, mapping in webhooks.MAPPINGS.items():
        (definitions / f"{name}.yaml").write_text(mapping)
    limits = [str(word) for option in LIMITS.items() for word in option]
    secret = {webhooks.SECRET_VARIABLE: webhooks.SECRET}
    with serving(folder / "data", "--definitions", str(definitions), *limits, **secret) as serve, Beset(serve) as beset:
        yield beset


@pytest.mark.parametrize(("door", "sent", "wanted"), ROWS)
def test_it_is_answered_clearly(beset: Beset, door: str, sent: bytes, wanted: Wanted) -> None:
    with beset.under():
        status, answer = answer_to(beset.serve.addresses[door], sent)
    assert status in (wanted if isinstance(wanted, frozenset) else {wanted}), answer


def test_an_expression_of_a_mapping_takes_no_time_whatever_it_is_asked(beset: Beset) -> None:
    """What does not fit is kept as it is: it is no refusal."""
    body = webhooks.hook().replace(b"hostile", b"harmless").replace(b"EUR", b"E" * 8_000 + b"!")
    with beset.under():
        status, answer = answer_to(beset.serve.addresses["http"], request(webhooks.PATH, webhooks.JSON, body), 5)
    assert status == 202, answer


def test_good_traffic_went_on_and_nothing_hostile_stayed(beset: Beset) -> None:
    beset.was_always_good()
