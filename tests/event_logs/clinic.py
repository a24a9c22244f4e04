"""A clinic's log: a made-up one, in the form of the public logs of process mining, as CSV and as XES.

Each patient registers, is triaged, has an X-ray or a blood test (some twice), and most check out.
"""

from __future__ import annotations

import csv
import io
import random
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from xml.sax.saxutils import quoteattr

WAY = ("Registration", "Triage and Assessment", "X-Ray", "Blood test", "Discuss Results", "Check-out")
START = datetime(2017, 1, 2, 8, 0, tzinfo=UTC)

PROCESS = """process: patient
title: A patient, from registration to check-out
keys:
  name: patient
steps:
  - {step: registered, kind: initial, types: [xes.registration, csv.registration], system: hcm}
  - {step: triaged, types: [xes.triage_and_assessment, csv.triage_and_assessment]}
  - {step: x_rayed, types: [xes.x_ray, csv.x_ray], optional: true}
  - {step: blood_tested, types: [xes.blood_test, csv.blood_test], optional: true}
  - {step: discussed, types: [xes.discuss_results, csv.discuss_results]}
  - {step: checked_out, kind: terminal, types: [xes.check_out, csv.check_out]}
"""
KEYS = "keys:\n  patient: {}\n"
STEPS = dict(zip(WAY, ("registered", "triaged", "x_rayed", "blood_tested", "discussed", "checked_out"), strict=True))


class Row(NamedTuple):
    """One row of the log."""

    patient: str
    activity: str
    time: datetime
    employee: str


def rows(patients: int, seed: int = 1) -> list[Row]:
    """Return the log of some patients, by time."""
    chance = random.Random(seed)
    found: list[Row] = []
    for number in range(1, patients + 1):
        at = START + timedelta(minutes=17 * number)
        way = [name for name in WAY if name not in ("X-Ray", "Blood test") or chance.random() < 0.6]
        way = way[: len(way) - (chance.random() < 0.1)]
        for name in way:
            for _ in range(1 + (name == "Blood test" and chance.random() < 0.3)):
                found.append(Row(f"P-{number}", name, at, f"r{chance.randint(1, 7)}"))
                at += timedelta(minutes=chance.randint(3, 2_000), microseconds=1_000 * chance.randint(0, 999))
    return sorted(found, key=lambda row: (row.time, row.patient))


def as_csv(log: list[Row]) -> str:
    """Write it as CSV."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(("patient", "handling", "time", "employee"))
    writer.writerows((row.patient, row.activity, row.time.isoformat(), row.employee) for row in log)
    return text.getvalue()


def as_xes(log: list[Row]) -> str:
    """Write it as XES: a trace for each patient."""
    traces: dict[str, list[Row]] = {}
    for row in log:
        traces.setdefault(row.patient, []).append(row)
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', '<log xes.version="1.0" xmlns="http://www.xes-standard.org/">']
    for patient, some in traces.items():
        lines.append(f'<trace><string key="concept:name" value={quoteattr(patient)}/>')
        lines += [
            f'<event><string key="concept:name" value={quoteattr(row.activity)}/>'
            f'<date key="time:timestamp" value="{row.time.isoformat()}"/>'
            f'<string key="org:resource" value="{row.employee}"/>'
            '<string key="lifecycle:transition" value="complete"/></event>'
            for row in some
        ]
        lines.append("</trace>")
    return "\n".join([*lines, "</log>"])
