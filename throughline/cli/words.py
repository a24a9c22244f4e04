"""How commands write amounts, times and keys for a person."""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from throughline.core.errors import StartRefused

STATE_STYLES = {"open": "bold", "done": "green", "ended": "dim", "provisional": "yellow", "not_applicable": "dim"}
STATUS_SIGNS = {
    "done": ("✓", "green"),
    "partial": ("◐", "yellow"),
    "waiting": ("·", "dim"),
    "unconfirmed": ("?", "yellow"),
    "overdue": ("!", "bold red"),
    "failed": ("✗", "bold red"),
    "skipped": ("»", "yellow"),
}


def money(exposure: Mapping[str, Any] | None) -> str:
    """Write what is held up: amount, currency and hours; ``unknown`` is never 0, and nothing held is a dash."""
    if exposure is None:
        return "unknown"
    if not exposure:
        return "–"
    amount = "amount unknown" if exposure.get("amount") is None else f"{Decimal(exposure['amount']):,f}"
    parts = [f"{exposure['currency']} {amount}" if exposure.get("currency") and exposure.get("amount") else amount]
    if exposure.get("hours"):
        parts.append(f"{exposure['hours']} h")
    return ", ".join(parts)


def moment(text: str | None) -> str:
    """Write a time to the minute, in UTC; a dash where there is none."""
    if text is None:
        return "–"
    return datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M")


def spoken(word: str) -> str:
    """Write a word of a closed list, or a step's name, as people say it."""
    return word.replace("_", " ")


def key_text(key: Mapping[str, Any]) -> str:
    """Write a key with its scope: ``invoice INV-33 (legal_entity DE01)``."""
    return f"{spoken(key['type'])} {key['value']}{scope_text(key['scope'])}"


def scope_text(scope: Mapping[str, str]) -> str:
    return f" ({', '.join(f'{spoken(name)} {value}' for name, value in scope.items())})" if scope else ""


def waiting_text(waiting: Mapping[str, Any]) -> str:
    """Say how many events wait at a value that no case holds, and since when."""
    events = "1 event waits" if waiting["events"] == 1 else f"{waiting['events']} events wait"
    orphan = ", an orphan by now" if waiting["orphan"] else ""
    return f"{events} here since {moment(waiting['since'])} for a case that holds it{orphan}."


def turn(who: str | None, systems: list[str]) -> str:
    """Say whose turn it is."""
    if who == "person":
        return "a person"
    if who == "customer":
        return "the customer"
    return " and ".join(systems) or "a system"


def statement_text(statement: Mapping[str, Any]) -> str:
    """Write a statement on one line: when, who, what, why."""
    said = f"{moment(statement['at'])}  {statement['by']} said {statement['verb']} {_subject(statement)}"
    return f"{said}: {statement['why']}"


def _subject(statement: Mapping[str, Any]) -> str:
    if "pair" in statement:
        ends = (next(iter(statement["pair"][end].items())) for end in ("from", "to"))
        return " – ".join(f"{kind} {value}" for kind, value in ends)
    kind, value = next(iter(statement["case"].items()))
    found = ", ".join(deviation_text(each) for each in statement["deviations"])
    way = f" as {spoken(statement['as'])}" if statement["as"] else ""
    return f"{found} of {kind} {value}{way}"


def deviation_text(found: Mapping[str, Any]) -> str:
    """Write a deviation in a few words."""
    return f"{spoken(found['kind'])}{' at ' + spoken(found['step']) if found['step'] else ''}"


def who() -> str:
    """Return who is logged in here; raises StartRefused where that has no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an account without a name, as containers have
        raise StartRefused("nobody with a name is logged in here: say who it is with --by NAME") from None
