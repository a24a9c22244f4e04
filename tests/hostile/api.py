"""Hostile questions and statements at the API."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from typing import Any
from urllib.parse import quote

import msgspec

from tests.hostile.http1 import chunked, nested, request
from tests.hostile.transport import Table, Way

JSON = "application/json"
STATEMENTS = "/api/v1/statements"
REPLAY = "/api/v1/quarantine/replay"
BACKFILL = "/api/v1/kpis/backfill"
MOST_BODY = 4 * 1024 * 1024
LISTS = ("cases", "orphans", "events", "records", "unmapped", "quarantine", "statements")
UNKNOWN, WRONG = 404, 422


def statement(**changed: Any) -> dict[str, Any]:
    """Return a statement that would be recorded, but for what is changed."""
    pair = {"from": {"time_entry": "hostile"}, "to": {"billing_event": "hostile"}}
    return {"verb": "unlink", "pair": pair, "all": True, "by": "hostile", "why": "hostile"} | changed


def way() -> Way:
    return Way(STATEMENTS, JSON, json.dumps(statement(verb="hostile")).encode(), MOST_BODY)


def get(path: str, more: str = "", method: str = "GET") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nhost: localhost\r\n{more}\r\n".encode("latin-1")


def _asked(query: str, wanted: int = WRONG, of: str = "cases") -> tuple[bytes, int]:
    return get(f"/api/v1/{of}?{query}"), wanted


def cursor(*position: object) -> str:
    """Return a cursor as the API writes them, of a position that it would never give."""
    return urlsafe_b64encode(msgspec.msgpack.encode(position)).rstrip(b"=").decode()


def _stated(**changed: Any) -> tuple[bytes, int]:
    return request(STATEMENTS, JSON, json.dumps(statement(**changed)).encode()), WRONG


def _posted(body: bytes, wanted: int, path: str = STATEMENTS) -> tuple[bytes, int]:
    return request(path, JSON, body), wanted


CURSORS = {
    "a cursor of nonsense": "hostile!",
    "an empty cursor": "%20",
    "a cursor of bytes": "%ff%fe",
    "a cursor of a hundred kilobytes": "A" * 20_000,
    "a cursor of other types": cursor([], {}),
    "a cursor of too many": cursor(*range(40)),
    "a cursor of none": cursor(None, None, None),
    "a cursor that nests": urlsafe_b64encode(b"\x91" * 3_000).rstrip(b"=").decode(),
    "a cursor of a huge array": urlsafe_b64encode(b"\xdd\xff\xff\xff\xff").rstrip(b"=").decode(),
    "a cursor of a huge text": urlsafe_b64encode(b"\x91\xdb\xff\xff\xff\xff").rstrip(b"=").decode(),
}

# A number that no row can have: as far as the list is of numbers, it is at its end there; else it is no cursor of it.
BEYOND = {
    "a number beyond 64 bits": cursor((1 << 64) - 1),
    "a number before zero": cursor(-(1 << 63)),
}

TABLE: Table = {
    # paths
    "no such path": (get("/api/v1/hostile"), UNKNOWN),
    "another version": (get("/api/v999/cases"), UNKNOWN),
    "dots": (get("/api/v1/../../../etc/passwd"), UNKNOWN),
    "percent-encoded dots": (get("/api/v1/cases/%2e%2e/%2e%2e/%2e%2e/etc/passwd"), UNKNOWN),
    "a process that there is not": (get("/api/v1/cases/hostile/x"), UNKNOWN),
    "a process of SQL": (get("/api/v1/cases/" + quote("x' OR 1=1 --") + "/x"), UNKNOWN),
    "a case that there is not": (get("/api/v1/cases/time-to-bill/hostile"), UNKNOWN),
    "a case with a NUL": (get("/api/v1/cases/time-to-bill/%00"), UNKNOWN),
    "a case of bytes": (get("/api/v1/cases/time-to-bill/%ff%fe"), UNKNOWN),
    "a case of a surrogate": (get("/api/v1/cases/time-to-bill/%ed%a0%80"), UNKNOWN),
    "a case of ten thousand letters": (get("/api/v1/cases/time-to-bill/" + "x" * 10_000), UNKNOWN),
    "a case of SQL": (get("/api/v1/cases/time-to-bill/" + quote("'; DROP TABLE cases; --")), UNKNOWN),
    "a case of wildcards": (get("/api/v1/cases/time-to-bill/%25%25"), UNKNOWN),
    "a case of separators": (get("/api/v1/cases/time-to-bill/%1f%1f"), UNKNOWN),
    "a case with an unknown parameter": (get("/api/v1/cases/time-to-bill/x?hostile=1"), WRONG),
    "a trace that is none": (get("/api/v1/traces/hostile"), WRONG),
    "a trace of zeros": (get("/api/v1/traces/" + "0" * 32), WRONG),
    "a trace of other digits": (get("/api/v1/traces/" + quote("\u0661" * 32)), WRONG),
    "a trace that there is not": (get("/api/v1/traces/" + "ab" * 16), UNKNOWN),
    "a KPI of five thousand letters": (get("/api/v1/kpis/" + "x" * 5_000), UNKNOWN),
    "an entry that there is not": (get("/api/v1/quarantine/q999999"), UNKNOWN),
    "an entry beyond 64 bits": (get("/api/v1/quarantine/q9223372036854775808"), UNKNOWN),
    "an entry of many digits": (get("/api/v1/quarantine/q" + "9" * 5_000), UNKNOWN),
    "an entry that is none": (get("/api/v1/quarantine/hostile"), UNKNOWN),
    "an entry of bytes": (get("/api/v1/quarantine/c%ff"), UNKNOWN),
    "an entry of an odd digest": (get("/api/v1/quarantine/s" + "a" * 31), UNKNOWN),
    "an entry before zero": (get("/api/v1/quarantine/q-1"), UNKNOWN),
    # questions
    "an unknown parameter": _asked("hostile=1"),
    "an unknown process": _asked("process=hostile"),
    "an unknown state": _asked("state=hostile"),
    "an unknown deviation": _asked("deviation=hostile"),
    "an empty step": _asked("step="),
    "a long step": _asked("step=" + "x" * 5_000),
    "a limit of none": _asked("limit=0"),
    "a limit before zero": _asked("limit=-1"),
    "a limit beyond": _asked("limit=1001"),
    "a limit of ten thousand digits": _asked("limit=" + "9" * 10_000),
    "a limit that is text": _asked("limit=hostile"),
    "a limit with a point": _asked("limit=1.5"),
    "a limit with an exponent": _asked("limit=1e3"),
    "a limit given twice, once wrong": _asked("limit=1&limit=hostile"),
    "a limit given twice": _asked("limit=1&limit=1"),
    "a scope given twice": _asked("type=invoice&value=x&scope.legal_entity=a&scope.legal_entity=b", of="records"),
    "parameters without end": _asked("&".join(f"p{n % 2_000}=" for n in range(4_000))),
    "an amount beyond all bounds": _asked("min_amount=1e999999999"),
    "an amount below all bounds": _asked("min_amount=1e-999999999"),
    "an amount that is NaN": _asked("max_amount=NaN"),
    "an amount that is infinite": _asked("max_amount=-Infinity"),
    "an amount of ten thousand digits": _asked("min_amount=" + "9" * 10_000),
    "an amount that is text": _asked("min_amount=hostile"),
    "a time that is none": _asked("since=hostile"),
    "a time in the year 0": _asked("since=0000-01-01T00:00:00Z"),
    "a time with a zone of 99 hours": _asked("until=2025-01-01T00:00:00%2B99:99"),
    "a time without a zone": _asked("until=2025-01-01T00:00:00"),
    "a time as a number": _asked("since=1762099451"),
    "a time of ten thousand digits": _asked("since=2025-01-01T00:00:00." + "9" * 10_000 + "Zx"),
    "neither a key nor a trace": _asked("", of="records"),
    "a key and a trace": _asked("type=a&value=b&trace_id=" + "ab" * 16, of="records"),
    "a type without a value": _asked("type=time_entry", of="records"),
    "a type that there is not": _asked("type=hostile&value=x", of="records"),
    "a trace that is no trace": _asked("trace_id=hostile", of="records"),
    "a scope that there is not": _asked("type=time_entry&value=x&scope.hostile=1", of="records"),
    "a parameter that is no scope": _asked("type=time_entry&value=x&hostile=1", of="records"),
    "a type of orphans that there is not": _asked("type=hostile", of="orphans"),
    "a position that is none": _asked("folded=hostile", of="status"),
    "a position of many digits": _asked("folded=j" + "9" * 30, of="status"),
    "a position before zero": _asked("folded=j-1", of="status"),
    "a wait that is none": _asked("folded=j1&wait=hostile", of="status"),
    "a wait of hours": _asked("folded=j1&wait=9h", of="status"),
    "a wait beyond": _asked("folded=j1&wait=61s", of="status"),
    "a wait of many digits": _asked("folded=j1&wait=" + "9" * 5_000, of="status"),
    "a reason that there is not": _asked("hostile=hostile", of="quarantine"),
    # methods and whence
    "a case by POST": (request("/api/v1/cases", JSON, b"{}"), 405),
    "statements by DELETE": (get(STATEMENTS, method="DELETE"), 405),
    "health by POST": (request("/healthz", JSON, b"{}"), 405),
    "another host": (get("/api/v1/cases").replace(b"localhost", b"example.org"), 421),
    "no host": (get("/api/v1/cases").replace(b"host: localhost\r\n", b""), 421),
    "a host of nonsense": (get("/api/v1/cases").replace(b"localhost", b"[[[hostile"), 421),
    "a host of ten thousand letters": (get("/api/v1/cases").replace(b"localhost", b"x" * 10_000), 421),
    "a page of another host": (get("/api/v1/cases", "origin: https://example.org\r\n"), 403),
    "a page of nobody": (get("/api/v1/cases", "origin: null\r\n"), 403),
    "a question with a body without end": (
        get("/api/v1/hostile", "content-length: 104857600\r\n") + b" " * 100_000,
        413,
    ),
    # bodies
    "no JSON": _posted(b"{hostile", 400),
    "an empty body": _posted(b"", 400),
    "JSON cut short": _posted(json.dumps(statement()).encode()[:-1], 400),
    "two documents": _posted(json.dumps(statement()).encode() * 2, 400),
    "invalid UTF-8": _posted(b'{"why": "\xff"}', 400),
    "half a surrogate pair": _posted(rb'{"why": "\ud800"}', 400),
    "UTF-16": _posted('{"verb": "link"}'.encode("utf-16"), 400),
    "a NaN": _posted(b'{"verb": NaN}', 400),
    "a number of ten thousand digits": _posted(b'{"verb": %s}' % (b"9" * 10_000), 400),
    "a number beyond all bounds": _posted(b'{"verb": 1e999999999}', 400),
    "deep objects": _posted(nested(20_000), 400),
    "deep arrays": _posted(b"[" * 100_000, 400),
    "deep arrays that are whole": _posted(b"[" * 500 + b"]" * 500, WRONG),
    "an array": _posted(b"[]", WRONG),
    "a text": _posted(b'"hostile"', WRONG),
    "null": _posted(b"null", WRONG),
    "empty objects without end": _posted(b"[" + b"{}," * 1_000_000 + b"{}]", WRONG),
    "another media type": (request(STATEMENTS, "text/plain", b"{}"), 415),
    "a form": (request(STATEMENTS, "application/x-www-form-urlencoded", b"verb=unlink"), 415),
    "no media type": (request(STATEMENTS, "", b"{}"), 415),
    "too many chunks": (chunked(STATEMENTS, JSON, *[b" " * 65_536] * 70), 413),
    # statements
    "no verb": _stated(verb=None),
    "a verb that there is not": _stated(verb="hostile"),
    "a verb that is an object": _stated(verb={"hostile": 1}),
    "a verb that is an array": _stated(verb=["unlink"]),
    "a verb of a megabyte": _stated(verb="x" * 1_000_000),
    "an unknown member": _stated(hostile=1),
    "members by the ten thousand": _stated(**{f"hostile{n}": n for n in range(10_000)}),
    "no pair": _stated(pair=None),
    "a pair of nothing": _stated(pair={}),
    "a pair that is a text": _stated(pair="hostile"),
    "an end of nothing": _stated(pair={"from": {}, "to": {}}),
    "an end of a thousand keys": _stated(pair={"from": {f"k{n}": "x" for n in range(1_000)}, "to": {"a": "b"}}),
    "an end of an unknown key": _stated(pair={"from": {"hostile": "x"}, "to": {"time_entry": "x"}}),
    "an end of an empty value": _stated(pair={"from": {"time_entry": ""}, "to": {"billing_event": "x"}}),
    "an end of a placeholder": _stated(pair={"from": {"time_entry": "n/a"}, "to": {"billing_event": "x"}}),
    "an end of a number": _stated(pair={"from": {"time_entry": 7}, "to": {"billing_event": "x"}}),
    "an end of a hundred kilobytes": _stated(
        pair={"from": {"time_entry": "x" * 100_000}, "to": {"billing_event": "x"}}
    ),
    "two equal ends": _stated(pair={"from": {"time_entry": "x"}, "to": {"time_entry": "x"}}),
    "neither all nor events": _stated(all=False),
    "all that is text": _stated(all="hostile"),
    "events that are none": _stated(events=["hostile"]),
    "more events than allowed": _stated(events=[{"source": "/s", "id": "i"}] * 10_001),
    "an event without an id": _stated(events=[{"source": "/s"}]),
    "nobody": _stated(by=None),
    "a name of a megabyte": _stated(by="x" * 1_000_000),
    "a name of blanks": _stated(by="   "),
    "no reason": _stated(why=None),
    "a reason of a megabyte": _stated(why="x" * 1_000_000),
    "a process that there is not, stated": _stated(process="hostile"),
    "accepting nothing": _posted(b'{"verb": "accept"}', WRONG),
    "accepting for no case": _posted(
        json.dumps(
            {
                "verb": "accept",
                "process": "time-to-bill",
                "case": {},
                "as": "waived",
                "all": True,
                "by": "b",
                "why": "w",
            }
        ).encode(),
        WRONG,
    ),
    "accepting for a case that there is not": _posted(
        json.dumps(
            {
                "verb": "accept",
                "process": "time-to-bill",
                "case": {"time_entry": "hostile"},
                "as": "waived",
                "all": True,
                "by": "b",
                "why": "w",
            }
        ).encode(),
        UNKNOWN,
    ),
    "a round of many digits": _posted(b'{"verb": "withdraw", "round": %s}' % (b"9" * 1_000), WRONG),
    # replays
    "a replay of nonsense": _posted(b"hostile", 400, REPLAY),
    "a replay by nobody": _posted(b"{}", WRONG, REPLAY),
    "a replay of too many": _posted(b'{"by": "b", "limit": 100000}', WRONG, REPLAY),
    "a replay of a wrong cursor": _posted(b'{"by": "b", "cursor": "hostile"}', WRONG, REPLAY),
    "a replay of a cursor beyond": _posted(b'{"by": "b", "cursor": "%s"}' % cursor(1 << 63).encode(), WRONG, REPLAY),
    "a replay of a megabyte": _posted(b'{"by": "%s"}' % (b"x" * 1_000_000), 413, REPLAY),
    "a replay of an entry that there is not": _posted(b'{"by": "b"}', UNKNOWN, "/api/v1/quarantine/q999999/replay"),
    "a replay of an entry that is none": _posted(b'{"by": "b"}', UNKNOWN, "/api/v1/quarantine/hostile/replay"),
    "a replay of an entry beyond 64 bits": _posted(
        b'{"by": "b"}', UNKNOWN, "/api/v1/quarantine/q9223372036854775808/replay"
    ),
    # backfills
    "a backfill of nonsense": _posted(b"{", 400, BACKFILL),
    "a backfill of bytes": _posted(b"\xff", 400, BACKFILL),
    "a backfill of an array": _posted(b"[]", WRONG, BACKFILL),
    "a backfill of null": _posted(b"null", WRONG, BACKFILL),
    "a backfill of an unknown member": _posted(b'{"kpi": "hostile"}', WRONG, BACKFILL),
    "a backfill of a megabyte": _posted(b" " * 1_000_000, 413, BACKFILL),
    "a backfill of another media type": (request(BACKFILL, "text/plain", b"{}"), 415),
}

_NEEDED = {"records": "&type=time_entry&value=x"}
TABLE |= {
    f"{of}: {name}": _asked(f"cursor={text}{_NEEDED.get(of, '')}", of=of)
    for of in LISTS
    for name, text in CURSORS.items()
}
TABLE |= {
    f"{of}: a cursor of {name}": (_asked(f"cursor={text}{_NEEDED.get(of, '')}", of=of)[0], frozenset({200, WRONG}))
    for of in LISTS
    for name, text in BEYOND.items()
}
