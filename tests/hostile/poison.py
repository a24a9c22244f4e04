"""Events that every door takes, as odd as they may be: what they hold goes into cases, and must harm none of these."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any

from lineage.process import Definitions

_some = random.Random(7)
LONG = "".join(chr(_some.randrange(0x4E00, 0x9FFF)) for _ in range(1_024))  # which hardly any index makes smaller
TEXTS = (
    *(LONG, LONG[:340], LONG[:341] + "x"),
    *(
        "",
        " ",
        "n/a",
        "null",
        "None",
        "-",
        "0",
        "00",
        "-0",
        "1e3",
        "0x1f",
        "true",
        "TE-1",
        "te-1",
        "TE-1 ",
        "TE/1?a=b#c",
    ),
    *(
        "\u202e1-ET",
        "\u200bTE-1",
        "e\u0301",
        "\u00e9",
        "\U0001f480",
        "\u2028",
        "\ufeff",
        "\u0000x"[1:],
        "%00",
        "%2f",
        "../..",
    ),
    *("'; DROP TABLE cases; --", "${jndi:x}", "{{7*7}}", "<script>alert(1)</script>", "\\", '"', "%s%n", "x" * 1_024),
    *("time_entry=TE-1", "a\x1fb", "\x1f", "\x1e", "a=b\x1fc=d", "__proto__", "constructor"),
)
NUMBERS = (
    *("0", "-0", "0.0", "-1", "1e30", "-1e30", "1e-30", "9" * 40, "-" + "9" * 39, "0." + "9" * 38, "0.1", "00000001"),
    *("1125.00", "7.5", "1E+5", "123456789012345678901234567890.12345678"),
)
TIMES = (
    *("1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000001Z", "2016-12-31T23:59:60Z", "2025-03-30T02:30:00+02:00"),
    *(
        "2025-10-26T02:30:00+01:00",
        "2025-11-02T16:04:11Z",
        "2025-11-02t16:04:11.123456789z",
        "2024-02-29T23:59:59-12:00",
    ),
)
DATES = (
    "2025-11-02",
    "0001-01-01",
    "9999-12-31",
    "2025-02-30",
    "2025-W44",
    "2025-11",
    "hostile",
    "1970-01-01T00:00:00Z",
)
FIELDS = (
    *("due_date", "period", "week", "worked_on", "from", "to", "until", "region", "legal_entity", "billing_calendar"),
    *(
        "billable",
        "rate",
        "billing_method",
        "measure",
        "planned_hours",
        "weekly_hours",
        "practice",
        "customer",
        "actor_kind",
    ),
    *("starts_on", "ends_on", "approved_from", "approved_until"),
    *("contract", "project", "worker", "valid_from", "valid_to", "start", "end", "note"),
)


def poison(definitions: Definitions, count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield so many events of all types that the processes know, the same for the same seed."""
    chance = random.Random(seed)
    types = sorted({kind for process in definitions.processes.values() for kind in process.types})
    keys = sorted(definitions.key_types)
    for number in range(count):
        yield {
            "specversion": "1.0",
            "id": f"p{number}" if chance.random() < 0.9 else chance.choice(["twin", "\U0001f480", "a b", "p1"]),
            "source": chance.choice(["/poison", "/psa/emea", "urn:x:y", "\u00fc", LONG[:341]]),
            "type": chance.choice([*types, LONG[-341:]]),
            "time": chance.choice(TIMES),
            **_extensions(chance),
            "data": _data(chance, keys),
        }


def _extensions(chance: random.Random) -> dict[str, Any]:
    names = ("correlationid", "causationid", "subject", "bamtxid", "bamptxcompleted", "sequence")
    return {name: chance.choice(TEXTS) for name in names if chance.random() < 0.1}


def _data(chance: random.Random, keys: list[str]) -> Mapping[str, Any]:
    data: dict[str, Any] = {}
    for key in chance.sample(keys, chance.randint(0, 5)):
        few = [_value(chance) for _ in range(chance.randint(2, 4))]
        data[key] = few if chance.random() < 0.3 else _value(chance)
    for name in chance.sample(FIELDS, chance.randint(0, 6)):
        data[name] = chance.choice(
            [chance.choice(TEXTS), chance.choice(DATES), chance.choice(TIMES), 7, 1.5, True, [1, "a"]]
        )
    if chance.random() < 0.5:
        data |= {"amount": chance.choice(NUMBERS), "currency": chance.choice(["EUR", "USD", "JPY", "XXX", "BHD"])}
        data["amounts"] = {_value(chance) or "x": chance.choice(NUMBERS) for _ in range(3)}
    if chance.random() < 0.3:
        data["hours"] = chance.choice(NUMBERS)
    if chance.random() < 0.3:
        data |= {"outcome": "failure", "error": {"category": "timeout", "message": chance.choice(TEXTS)}}
    if chance.random() < 0.3:
        data["relations"] = [
            {"from": _end(chance, keys), "to": _end(chance, keys)} for _ in range(chance.randint(1, 3))
        ]
    if chance.random() < 0.1:
        data["synthetic"] = True
    for name in ("system", "instance", "flow"):
        if chance.random() < 0.3:
            data[name] = chance.choice(["erp", "psa", *TEXTS])
    return data


def _value(chance: random.Random) -> str:
    return chance.choice(TEXTS) if chance.random() < 0.4 else f"{chance.choice('ABC')}-{chance.randint(1, 30)}"


def _end(chance: random.Random, keys: list[str]) -> dict[str, Any]:
    end: dict[str, Any] = {chance.choice(keys): _value(chance)}
    if chance.random() < 0.3:
        end["scope"] = {"legal_entity": _value(chance)}
    return end
