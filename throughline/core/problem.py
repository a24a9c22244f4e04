"""Problem documents (RFC 9457): the one form in which a request that was not done is answered, on every HTTP door.

A ``Problem`` is raised by whoever finds out; the web server turns it into the answer.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

import msgspec

from throughline.core.errors import ThroughlineError
from throughline.core.masking import masked

MEDIA_TYPE = "application/problem+json"


class ProblemKind(Enum):
    """Every kind of problem: its HTTP status and its title. The name, in lower case, ends its ``type``."""

    UNREADABLE = (400, "The request cannot be read")
    UNAUTHENTICATED = (401, "A token is needed")
    FORBIDDEN = (403, "This is not allowed")
    NOT_FOUND = (404, "There is no such thing")
    METHOD_NOT_ALLOWED = (405, "This method is not offered here")
    TOO_SLOW = (408, "The request took too long to arrive")
    AMBIGUOUS = (409, "The name fits several records")
    TOO_LARGE = (413, "The request is too large")
    WRONG_MEDIA_TYPE = (415, "This content type is not taken")
    MISDIRECTED = (421, "This host is not served here")
    INVALID = (422, "The request does not make sense")
    TOO_MANY = (429, "Too much at once")
    HEADERS_TOO_LARGE = (431, "The headers are too large")
    FAILED = (500, "Something went wrong here")
    UNAVAILABLE = (503, "Not now")

    @property
    def status(self) -> int:
        return self.value[0]

    @property
    def title(self) -> str:
        return self.value[1]

    @property
    def urn(self) -> str:
        return f"urn:throughline:problem:{self.name.lower().replace('_', '-')}"


class Problem(ThroughlineError):
    """A request that was not done.

    ``detail`` says what was seen and what was wanted; ``more`` goes into the document as further members.
    ``retry_after``: in how many seconds the same may be tried again.
    """

    def __init__(self, kind: ProblemKind, detail: str, retry_after: int | None = None, **more: Any) -> None:
        self.kind = kind
        self.detail = masked(detail)
        self.retry_after = retry_after
        self.more = more
        super().__init__(self.detail)

    def document(self) -> dict[str, Any]:
        """Return the problem document."""
        kind = self.kind
        return {"type": kind.urn, "title": kind.title, "status": kind.status, "detail": self.detail, **self.more}

    def encode(self) -> bytes:
        return msgspec.json.encode(self.document())
