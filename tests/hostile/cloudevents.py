"""Hostile CloudEvents: what stands in the body, and in ``ce-`` headers."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from typing import Any

from tests.hostile import MARK
from tests.hostile.http1 import bomb, gzipped, nested, request
from tests.hostile.transport import Table, Way

PATH = "/v1/events"
STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
JSON = "application/json"
SET_ASIDE = 422  # it is kept in quarantine, and nothing of it in the journal


def event(**changed: Any) -> bytes:
    """Return an event that would be taken, but for what is changed."""
    whole = {"specversion": "1.0", "id": MARK, "source": f"/{MARK}", "type": "time.approved"}
    return json.dumps(
        whole | {"time": "2025-11-02T16:04:11Z", "data": {"time_entry": MARK}} | changed, ensure_ascii=False
    ).encode("utf-8", "surrogatepass")


def raw(data: bytes) -> bytes:
    """Return an event whose data are these bytes."""
    return event(data="DATA").replace(b'"DATA"', data)


def way(inside: int) -> Way:
    return Way(PATH, STRUCTURED, event(), inside)


def _one(body: bytes) -> bytes:
    return request(PATH, STRUCTURED, body)


def _batch(body: bytes) -> bytes:
    return request(PATH, BATCH, body)


def _binary(more: str, body: bytes = b"{}", content_type: str = JSON) -> bytes:
    given = "ce-specversion: 1.0\r\nce-id: hostile\r\nce-source: /hostile\r\nce-type: time.approved\r\n"
    return request(PATH, content_type, body, given + "ce-time: 2025-11-02T16:04:11Z\r\n" + more)


def _time(text: object) -> tuple[bytes, int]:
    return _one(event(time=text)), SET_ASIDE


def _data(data: bytes) -> tuple[bytes, int]:
    return _one(raw(data)), SET_ASIDE


TABLE: Table = {
    # JSON
    "no JSON": (_one(b"{nonsense hostile"), 400),
    "JSON cut short": (_one(event()[:-5]), 400),
    "two JSON documents": (_one(event() * 2), 400),
    "a NaN": (_one(raw(b"NaN")), 400),
    "an Infinity": (_one(raw(b'{"a": Infinity}')), 400),
    "a comment in JSON": (_one(b"/* hostile */" + event()), 400),
    "a comma at the end": (_one(event()[:-1] + b",}"), 400),
    "single quotes": (_one(event().replace(b'"', b"'")), 400),
    "a leading zero": (_one(raw(b'{"a": 012}')), 400),
    "a number in hex": (_one(raw(b'{"a": 0x1f}')), 400),
    "a plus before a number": (_one(raw(b'{"a": +1}')), 400),
    "a control character in a text": (_one(raw(b'{"a": "\x01"}')), 400),
    "a newline in a text": (_one(raw(b'{"a": "\n"}')), 400),
    "a wrong escape": (_one(raw(rb'{"a": "\x41"}')), 400),
    "half an escape": (_one(raw(rb'{"a": "\u12"}')), 400),
    "half a surrogate pair": (_one(raw(rb'{"a": "\ud800"}')), 400),
    "the other half": (_one(raw(rb'{"a": "\udc00"}')), 400),
    "halves in the wrong order": (_one(raw(rb'{"a": "\udc00\ud800"}')), 400),
    "a surrogate as UTF-8": (_one(raw(b'{"a": "\xed\xa0\x80"}')), 400),
    "invalid UTF-8": (_one(raw(b'{"a": "\xff"}')), 400),
    "UTF-8 longer than need be": (_one(raw(b'{"a": "\xc0\xaf"}')), 400),
    "UTF-8 beyond Unicode": (_one(raw(b'{"a": "\xf5\x80\x80\x80"}')), 400),
    "UTF-16": (_one(event().decode().encode("utf-16")), 400),
    "a byte order mark": (_one(b"\xef\xbb\xbf" + event()), 400),
    "an empty body": (_one(b""), 400),
    "a body of blanks": (_one(b" " * 10_000), 400),
    "a body of NULs": (_one(bytes(10_000)), 400),
    "deep objects": (_one(nested(20_000)), 400),
    "deep arrays": (_one(b"[" * 100_000), 400),
    "deep arrays in a batch": (_batch(b"[" * 100_000), 400),
    "deep objects in data": _data(nested(200)),
    "deep objects beside the data": _data(b'{"relations": ' + nested(100) + b"}"),
    "a text without end": (_one(b'{"id": "' + b"x" * 100_000), 400),
    "backslashes without end": (_one(b'{"id": "' + b"\\" * 100_000), 400),
    "a number without end": (_one(raw(b'{"a": ' + b"9" * 100_000 + b"}")), 400),
    # what is no event
    "an array for an event": (_one(b"[1]"), SET_ASIDE),
    "a text for an event": (_one(b'"hostile"'), SET_ASIDE),
    "null for an event": (_one(b"null"), SET_ASIDE),
    "an object for a batch": (_batch(event()), 400),
    "numbers for a batch": (_batch(b"[1, 2, 3]"), SET_ASIDE),
    "batches in a batch": (_batch(b"[[" + event() + b"]]"), SET_ASIDE),
    "a batch cut short": (_batch(b"[" + event() + b"," + event()[:-1]), 400),
    "another version": (_one(event(specversion="0.3")), SET_ASIDE),
    "no id": (_one(event(id=None)), SET_ASIDE),
    "an empty id": (_one(event(id="")), SET_ASIDE),
    "an id that is a number": (_one(event(id=7)), SET_ASIDE),
    "an id that is an object": (_one(event(id={"hostile": 1})), SET_ASIDE),
    "a long id": (_one(event(id="x" * 5_000)), SET_ASIDE),
    "a NUL in the id": (_one(event(id="\0")), SET_ASIDE),
    "a NUL in the type": (_one(event(type="a\0b")), SET_ASIDE),
    "a NUL in the source": (_one(event(source="/a\0b")), SET_ASIDE),
    "an escape sequence in the type": (_one(event(type="\x1b[2J")), SET_ASIDE),
    "a source of blanks": (_one(event(source="   ")), SET_ASIDE),
    "a source that is an array": (_one(event(source=["/hostile"])), SET_ASIDE),
    "a type of ours": (_one(event(type="throughline.unlink")), SET_ASIDE),
    "an id of four hundred thousand letters": (_one(event(id="x" * 400_000)), SET_ASIDE),
    # times
    "no time": _time(None),
    "the year 2062": _time("2062-01-01T00:00:00Z"),
    "the year 9999": _time("9999-12-31T23:59:59Z"),
    "the year 0": _time("0000-01-01T00:00:00Z"),
    "the year 10000": _time("10000-01-01T00:00:00Z"),
    "before 1970": _time("1969-12-31T23:59:59Z"),
    "before 1970 by its zone": _time("1970-01-01T00:00:00+01:00"),
    "a zone of 99 hours": _time("2025-11-02T16:04:11+99:99"),
    "a zone of 24 hours": _time("2025-11-02T16:04:11+24:00"),
    "no zone": _time("2025-11-02T16:04:11"),
    "a leap second that was none": _time("2025-11-02T16:04:60Z"),
    "the second 61": _time("2016-12-31T23:59:61Z"),
    "the 30th of February": _time("2025-02-30T00:00:00Z"),
    "the hour 25": _time("2025-11-02T25:00:00Z"),
    "a time as a number": _time(1_762_099_451),
    "a time as an object": _time({"seconds": 1}),
    "a time of other digits": _time("\u0662\u0660\u0662\u0665-11-02T16:04:11Z"),
    "a time of four hundred thousand digits": _time("2025-11-02T16:04:11." + "1" * 400_000),
    "a time with a NUL": _time("2025-11-02T16:04:11Z\0"),
    "a recorded time in 2062": (_one(event(recordedtime="2062-01-01T00:00:00Z")), SET_ASIDE),
    # numbers
    "a number beyond all bounds": _data(b'{"a": 1e999999999}'),
    "a number of ten thousand digits": (_one(raw(b'{"a": %s}' % (b"9" * 10_000))), 400),
    "a fraction of ten thousand digits": _data(b'{"a": 0.%s}' % (b"9" * 10_000)),
    "an amount beyond all bounds": _data(b'{"amount": 1e999999999, "currency": "EUR"}'),
    "an amount below all bounds": _data(b'{"amount": 1e-999999999, "currency": "EUR"}'),
    "an amount as a text of that kind": _data(b'{"amount": "1E+999999999", "currency": "EUR"}'),
    "an amount that is NaN": _data(b'{"amount": "NaN", "currency": "EUR"}'),
    "an amount that is infinite": _data(b'{"amount": "-Infinity", "currency": "EUR"}'),
    "an amount of a hundred digits": _data(b'{"amount": "%s", "currency": "EUR"}' % (b"9" * 100)),
    "an amount of other digits": _data('{"amount": "١٢٣", "currency": "EUR"}'.encode()),
    "an amount with underscores": _data(b'{"amount": "1_000", "currency": "EUR"}'),
    "an amount that is true": _data(b'{"amount": true, "currency": "EUR"}'),
    "an amount without a currency": _data(b'{"amount": "1"}'),
    "a currency that is none": _data(b'{"amount": "1", "currency": "HOSTILE"}'),
    "hours beyond all bounds": _data(b'{"hours": 1e400}'),
    "amounts by the ten thousand": _data(json.dumps({"amounts": {f"n{n}": 1 for n in range(10_001)}}).encode()),
    "amounts that nest": _data(b'{"amounts": {"a": {"b": 1}}, "currency": "EUR"}'),
    # data
    "data that is a text": _data(b'"hostile"'),
    "data that is an array": _data(b"[1, 2]"),
    "data that is no JSON in base64": (_one(event(data=None, data_base64="aG9zdGlsZQ==")), SET_ASIDE),
    "data that is no base64": (_one(event(data=None, data_base64="hostile!!")), SET_ASIDE),
    "deep data in base64": (
        _one(event(data=None, data_base64=base64.b64encode(nested(5_000)).decode())),
        SET_ASIDE,
    ),
    "more fields than a thousand": _data(json.dumps({f"f{n}": n for n in range(1_500)}).encode()),
    "a million elements": _data(b'{"time_entry": [' + b"1," * 90_000 + b"1]}"),
    "a carrier with a million holders": _data(
        json.dumps({"invoice": MARK, "time_entry": [f"T{n}" for n in range(15_000)]}).encode()
    ),
    "pairs by the ten thousand": _data(b'{"relations": [' + b'{"from":{"a":1},"to":{"b":2}},' * 10_001 + b"{}]}"),
    "a pair of nothing": _data(b'{"relations": [{}]}'),
    "a pair of arrays": _data(b'{"relations": [{"from": [], "to": []}]}'),
    "pairs that are a text": _data(b'{"relations": "hostile"}'),
    "a long text": _data(b'{"a": "%s"}' % (b"x" * 100_000)),
    "a long name": _data(b'{"%s": 1}' % (b"x" * 100_000)),
    "an error that is a text": _data(b'{"outcome": "failure", "error": "hostile"}'),
    "an error of no category": _data(b'{"outcome": "failure", "error": {"category": "hostile"}}'),
    "an outcome that is none": _data(b'{"outcome": "hostile"}'),
    "an attempt of ten thousand digits": _data(b'{"outcome": "failure", "error": {"attempt": "%s"}}' % (b"9" * 10_000)),
    "synthetic that is neither": _data(b'{"synthetic": "hostile"}'),
    "a system that is an object": _data(b'{"system": {"hostile": 1}}'),
    "a heartbeat until 2062": (
        _one(event(type="source.heartbeat", data={"until": "2062-01-01T00:00:00Z"})),
        SET_ASIDE,
    ),
    "a heartbeat without end": (_one(event(type="source.heartbeat", data={})), SET_ASIDE),
    # content coding
    "gzip that is none": (gzipped(PATH, STRUCTURED, event()), 400),
    "gzip cut short": (gzipped(PATH, STRUCTURED, gzip.compress(event())[:-4]), 400),
    "gzip cut in its head": (gzipped(PATH, STRUCTURED, gzip.compress(event())[:5]), 400),
    "gzip with a wrong checksum": (gzipped(PATH, STRUCTURED, gzip.compress(event())[:-8] + bytes(8)), 400),
    "gzip with a wrong length": (gzipped(PATH, STRUCTURED, gzip.compress(event())[:-4] + bytes(4)), 400),
    "gzip with something behind": (gzipped(PATH, STRUCTURED, gzip.compress(event()) + b"hostile"), 400),
    "gzip in gzip": (gzipped(PATH, STRUCTURED, gzip.compress(gzip.compress(event()))), 400),
    "zlib for gzip": (gzipped(PATH, STRUCTURED, zlib.compress(event())), 400),
    "nothing for gzip": (gzipped(PATH, STRUCTURED, b""), 400),
    "a bomb": (gzipped(PATH, STRUCTURED, bomb(100_000_000)), 413),
    "a bomb of blanks": (gzipped(PATH, STRUCTURED, bomb(100_000_000, b" ")), 413),
    "a bomb of many members": (gzipped(PATH, STRUCTURED, bomb(100_000, b" ") * 1_000), 413),
    "a bomb of empty objects": (gzipped(PATH, BATCH, gzip.compress(b"[" + b"{}," * 300_000 + b"{}]")), 413),
    "members of nothing by the thousand": (gzipped(PATH, STRUCTURED, gzip.compress(b"") * 9_000), 400),
    "another coding": (request(PATH, STRUCTURED, event(), "content-encoding: br\r\n"), 415),
    "two codings": (request(PATH, STRUCTURED, event(), "content-encoding: gzip, gzip\r\n"), 415),
    "codings by two headers": (
        request(PATH, STRUCTURED, event(), "content-encoding: gzip\r\ncontent-encoding: gzip\r\n"),
        415,
    ),
    # media types
    "another media type": (request(PATH, "text/html", event()), 415),
    "XML": (request(PATH, "application/cloudevents+xml", event()), 415),
    "no media type": (request(PATH, "", event()), 415),
    "a media type of a thousand letters": (request(PATH, "x/" + "y" * 1_000, event()), 415),
    "two media types": (request(PATH, STRUCTURED, event(), f"content-type: {BATCH}\r\n"), 415),
    "another charset": (request(PATH, STRUCTURED + "; charset=utf-7", event()), 415),
    "an absurd charset": (request(PATH, STRUCTURED + "; charset=../../etc/passwd", event()), 415),
    # binary mode
    "binary data that is no JSON": (_binary("", b"hostile"), 400),
    "binary data of another type": (_binary("", b"\0\1", "application/octet-stream"), 415),
    "binary data that is an array": (_binary("", b"[1]"), SET_ASIDE),
    "a header that is no UTF-8 once decoded": (_binary("ce-subject: %ff%fe\r\n"), 400),
    "a surrogate in a header": (_binary("ce-subject: %ed%a0%80\r\n"), 400),
    "an id given twice": (_binary("ce-id: other\r\nce-time: 2025-11-02T16:04:11Z\r\n"), SET_ASIDE),
    "a NUL in a header, percent-encoded": (_binary("ce-type: %00\r\n"), SET_ASIDE),
    "binary without a source": (request(PATH, JSON, b"{}", "ce-specversion: 1.0\r\nce-id: hostile\r\n"), SET_ASIDE),
    "data by a header": (request(PATH, JSON, b"", 'ce-specversion: 1.0\r\nce-data: {"a":1}\r\n'), SET_ASIDE),
    "a correlation id of ten thousand letters": (_binary(f"ce-correlationid: {'x' * 10_000}\r\n"), SET_ASIDE),
}
