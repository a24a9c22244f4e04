"""Hostile webhooks: JSON of any form by a mapping, signed or not."""

from __future__ import annotations

import base64
import gzip
import hashlib
import hmac
import json

from tests.hostile.http1 import bomb, gzipped, nested, request
from tests.hostile.transport import Table, Way

PATH = "/v1/json/open-hook"
SIGNED_PATH = "/v1/json/signed-hook"
JSON = "application/json"
SECRET = "a secret of the test"
SECRET_VARIABLE = "HOSTILE_WEBHOOK_SECRET"
SET_ASIDE = 422

MAPPINGS = {
    "open-hook": """\
mapping: open-hook
input: json
when: input.currency.matches('^(E+)+UR$')
event:
  each: input.lines
  type: invoice.issued
  id: input.id
  key: item.id
  source: /open-hook
  time: input.at
  amount: {path: item.amount, as: decimal}
  currency: input.currency
  fields:
    invoice: item.invoice
    cents: {path: item.cents, as: minor_units, digits: 2}
    booked: {path: item.booked, as: epoch_ms}
    posted: {path: item.posted, as: dotnet}
""",
    "signed-hook": f"""\
mapping: signed-hook
input: json
signature: {{header: X-Signature, prefix: "sha256=", secret_env: {SECRET_VARIABLE}}}
event:
  type: invoice.issued
  id: input.id
  source: /signed-hook
  time: input.at
  fields: {{invoice: input.invoice}}
""",
}


def signature(body: bytes, secret: str = SECRET) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def way(inside: int) -> Way:
    return Way(PATH, JSON, hook(), inside)


def hook(**changed: object) -> bytes:
    """Return a body that the open mapping takes, but for what is changed in its line."""
    line = {"id": "hostile", "invoice": "hostile", "amount": "1.00"} | changed
    whole = {"id": "hostile", "at": "2025-11-02T16:04:11Z", "currency": "EUR", "lines": [line]}
    return json.dumps(whole).encode()


SIGNED = json.dumps({"id": "hostile", "at": "2025-11-02T16:04:11Z", "invoice": "hostile"}).encode()


def _open(body: bytes) -> bytes:
    return request(PATH, JSON, body)


def _signed(more: str, body: bytes = SIGNED) -> bytes:
    return request(SIGNED_PATH, JSON, body, more)


def _at(path: str) -> bytes:
    return request(f"/v1/json/{path}", JSON, hook())


_RIGHT = signature(SIGNED)
_HEADER = "x-signature: {}\r\n"

TABLE: Table = {
    # the name of a mapping
    "no mapping": (_at(""), 404),
    "a mapping that there is not": (_at("hostile"), 404),
    "a mapping behind another": (_at("open-hook/hostile"), 404),
    "a mapping in capitals": (_at("OPEN-HOOK"), 404),
    "a mapping up the tree": (_at("../../../etc/passwd"), 404),
    "a mapping up the tree, percent-encoded": (_at("..%2f..%2f..%2fetc%2fpasswd"), 404),
    "a mapping up the tree, twice": (_at("..%252f..%252fetc%252fpasswd"), 404),
    "the file of a mapping": (_at("open-hook.yaml"), 404),
    "a mapping with a NUL": (_at("open-hook%00"), 404),
    "a mapping with a newline": (_at("open-hook%0d%0ax-injected:%201"), 404),
    "a mapping of bytes": (_at("%ff%fe"), 404),
    "a mapping with a media type": (_at("open-hook;mapping=signed-hook"), 404),
    "a mapping of ten thousand letters": (_at("x" * 10_000), 404),
    "a mapping with a slash at the end": (_at("open-hook/"), 404),
    # signatures
    "no signature": (_signed(""), 401),
    "an empty signature": (_signed(_HEADER.format("")), 401),
    "a signature without its prefix": (_signed(_HEADER.format(_RIGHT[7:])), 401),
    "a signature of another prefix": (_signed(_HEADER.format("sha1=" + _RIGHT[7:])), 401),
    "only a prefix": (_signed(_HEADER.format("sha256=")), 401),
    "a signature of another body": (_signed(_HEADER.format(signature(b"{}"))), 401),
    "a signature with another secret": (_signed(_HEADER.format(signature(SIGNED, "another secret"))), 401),
    "a signature with no secret": (_signed(_HEADER.format(signature(SIGNED, ""))), 401),
    "a signature cut short": (_signed(_HEADER.format(_RIGHT[:-1])), 401),
    "a signature with more behind it": (_signed(_HEADER.format(_RIGHT + "00")), 401),
    "a signature in base64": (
        _signed(_HEADER.format("sha256=" + base64.b64encode(bytes.fromhex(_RIGHT[7:])).decode())),
        401,
    ),
    "a signature of another script": (_signed(_HEADER.format("sha256=\xe9\xff")), 401),
    "a signature of ten thousand letters": (_signed(_HEADER.format("sha256=" + "a" * 10_000)), 401),
    "two signatures, one right": (_signed(_HEADER.format(_RIGHT) + _HEADER.format("sha256=00")), 401),
    "the right signature twice": (_signed(_HEADER.format(_RIGHT) * 2), 401),
    "a right and a wrong one in one header": (_signed(_HEADER.format(f"{_RIGHT}, sha256=00")), 401),
    "a signature by a query": (request(f"{SIGNED_PATH}?x-signature={_RIGHT}", JSON, SIGNED), 401),
    "a body changed after it was signed": (_signed(_HEADER.format(_RIGHT), SIGNED.replace(b":11Z", b":12Z")), 401),
    "a body signed before it was compressed": (
        request(SIGNED_PATH, JSON, gzip.compress(SIGNED), _HEADER.format(_RIGHT) + "content-encoding: gzip\r\n"),
        401,
    ),
    "a token in place of a signature": (_signed("authorization: Bearer hostile\r\n"), 401),
    "signed nonsense": (_signed(_HEADER.format(signature(b"hostile")), b"hostile"), 400),
    # bodies
    "no JSON": (_open(b"hostile"), 400),
    "an empty body": (_open(b""), 400),
    "JSON cut short": (_open(hook()[:-3]), 400),
    "two documents": (_open(hook() * 2), 400),
    "invalid UTF-8": (_open(hook().replace(b"hostile", b"\xff")), 400),
    "UTF-16": (_open(hook().decode().encode("utf-16")), 400),
    "half a surrogate pair": (_open(hook().replace(b'"hostile"', rb'"\ud800"')), 400),
    "a NaN": (_open(hook().replace(b'"1.00"', b"NaN")), 400),
    "a number of ten thousand digits": (_open(hook().replace(b'"1.00"', b"9" * 10_000)), 400),
    "deep objects": (_open(nested(20_000)), 400),
    "deep arrays": (_open(b"[" * 100_000), 400),
    "nested deeper than allowed": (_open(nested(200)), SET_ASIDE),
    "a text": (_open(b'"hostile"'), SET_ASIDE),
    "a number": (_open(b"7"), SET_ASIDE),
    "null": (_open(b"null"), SET_ASIDE),
    "an array of numbers": (_open(b"[1, 2, 3]"), SET_ASIDE),
    "arrays in an array": (_open(b"[[[]]]"), SET_ASIDE),
    "an array cut short": (_open(b"[" + hook() + b"," + hook()[:-1]), 400),
    # what the mapping can't make of it
    "an amount beyond all bounds": (_open(hook(amount="1e999999999")), SET_ASIDE),
    "an amount beyond all bounds, as a number": (_open(hook().replace(b'"1.00"', b"1e999999999")), SET_ASIDE),
    "an amount below all bounds": (_open(hook(amount="1e-999999999")), SET_ASIDE),
    "an amount that is NaN": (_open(hook(amount="sNaN123")), SET_ASIDE),
    "an amount that is infinite": (_open(hook(amount="Infinity")), SET_ASIDE),
    "an amount of ten thousand digits": (_open(hook(amount="9" * 10_000)), SET_ASIDE),
    "an amount with underscores": (_open(hook(amount="1_0")), SET_ASIDE),
    "an amount of blanks": (_open(hook(amount="  ")), SET_ASIDE),
    "an amount that is an object": (_open(hook(amount={"hostile": 1})), SET_ASIDE),
    "cents that are none": (_open(hook(cents="1.5")), SET_ASIDE),
    "cents beyond all bounds": (_open(hook(cents="1e999999")), SET_ASIDE),
    "a time in milliseconds beyond all bounds": (_open(hook(booked="1e19")), SET_ASIDE),
    "a time in milliseconds before all time": (_open(hook(booked=-1)), SET_ASIDE),
    "a time in milliseconds that is text": (_open(hook(booked="hostile")), SET_ASIDE),
    "a .NET time that is none": (_open(hook(posted="/Date()/")), SET_ASIDE),
    "a .NET time beyond all bounds": (_open(hook(posted="/Date(99999999999999999999)/")), SET_ASIDE),
    "no id": (_open(hook(id=None)), SET_ASIDE),
    "an id with a NUL": (_open(hook(id="\0")), SET_ASIDE),
    "a long id": (_open(hook(id="x" * 5_000)), SET_ASIDE),
    "lines that are a text": (_open(hook().replace(b"[", b'"').replace(b"]", b'"').replace(b'{"id"', b"{")), 400),
    "the year 2062": (_open(hook().replace(b"2025", b"2062")), SET_ASIDE),
    "the year 0": (_open(hook().replace(b"2025", b"0000")), SET_ASIDE),
    "a zone of 99 hours": (_open(hook().replace(b"11Z", b"11+99:99")), SET_ASIDE),
    "more lines than allowed": (
        _open(
            json.dumps(
                {"id": "hostile", "at": "2025-11-02T16:04:11Z", "currency": "EUR", "lines": [{}] * 10_001}
            ).encode()
        ),
        SET_ASIDE,
    ),
    # coding and media type
    "another media type": (request(PATH, "text/html", hook()), 415),
    "a form": (request(PATH, "application/x-www-form-urlencoded", hook()), 415),
    "many parts": (request(PATH, "multipart/form-data; boundary=x", hook()), 415),
    "another charset": (request(PATH, JSON + "; charset=utf-16", hook()), 415),
    "another coding": (request(PATH, JSON, hook(), "content-encoding: deflate\r\n"), 415),
    "gzip that is none": (gzipped(PATH, JSON, hook()), 400),
    "gzip in gzip": (gzipped(PATH, JSON, gzip.compress(gzip.compress(hook()))), 400),
    "gzip cut short": (gzipped(PATH, JSON, gzip.compress(hook())[:-4]), 400),
    "a bomb": (gzipped(PATH, JSON, bomb(100_000_000)), 413),
    "a bomb of lines": (gzipped(PATH, JSON, gzip.compress(b"[" + b"{}," * 300_000 + b"{}]")), 413),
    # the orders of another door
    "an order that is for the API": (request("/v1/control/replay", JSON, b"{}"), 404),
    "metrics by POST": (request("/metrics", JSON, b"{}"), 405),
    "health by POST": (request("/healthz", JSON, b"{}"), 405),
}
