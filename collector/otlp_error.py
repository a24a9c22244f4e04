"""What OTLP attributes say of a failure: dotted ``error.`` names, ``error.type``, the message of a status."""

from __future__ import annotations

from typing import Any, Final

from collector.business import LONGEST_MESSAGE
from throughline.core.event import ERROR_CATEGORIES

_ERROR_MEMBERS: Final = ("category", "code", "message", "retryable", "attempt")
_CATEGORY_OF_STATUS: Final = {
    "400": "validation",
    "401": "authentication",
    "403": "authorization",
    "404": "not_found",
    "408": "timeout",
    "409": "conflict",
    "422": "validation",
    "429": "rate_limit",
    "502": "unavailable",
    "503": "unavailable",
    "504": "timeout",
}


def error_category(error_type: str) -> str:
    """Return the category of a free ``error.type``: one of that name, that of an HTTP status, else unknown."""
    name = error_type.strip().lower().replace("-", "_").replace(" ", "_")
    return name if name in ERROR_CATEGORIES else _CATEGORY_OF_STATUS.get(name, "unknown")


def gather_error(data: dict[str, Any], failed: bool, error_type: str | None, message: str) -> None:
    """Make ``error`` of the dotted attributes ``error.category`` and so on, where the data has none.

    A failure without category takes that of ``error_type``, which stays as its code, and without a message that of
    the status.
    """
    stated = {member: data.pop(f"error.{member}", None) for member in _ERROR_MEMBERS}
    if data.get("error") is not None:
        return
    if failed:
        if stated["category"] is None and error_type:
            stated["category"] = error_category(error_type)
        if stated["code"] is None:
            stated["code"] = error_type
        if stated["message"] is None:
            stated["message"] = message[:LONGEST_MESSAGE] or None
    if any(value is not None for value in stated.values()):
        data["error"] = stated
