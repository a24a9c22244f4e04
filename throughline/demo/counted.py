"""Counted once: where the firm itself counts money that one piece of work holds up in several processes.

Like the truth, this reads lives and nothing that any system reported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from throughline.demo.chronicle import Life
from throughline.demo.truth import CaseTruth

# The processes that go on with the work of another, and by which of its ids: that is what they call it.
FOLLOWS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "pipeline-to-forecast": (("opportunity-to-project", "opportunity"),),
    "opportunity-to-project": (("contract-to-billing-terms", "contract"),),
    "time-to-bill": (("invoice-to-cash", "invoice"),),
    "expense-to-bill": (("invoice-to-cash", "invoice"),),
    "milestone-to-invoice": (("invoice-to-cash", "invoice"),),
    "subscription-to-invoice": (("invoice-to-cash", "invoice"),),
}
OWN_ID = {"pipeline-to-forecast": "opportunity", "opportunity-to-project": "opportunity"}

_Name = tuple[str, str, str]


class _Books:
    """All lives by process, name and the legal entity that numbers them, with what must be seen of them."""

    def __init__(self, lives: Sequence[Life], truths: Sequence[CaseTruth]) -> None:
        self._known: dict[_Name, tuple[Life, CaseTruth]] = {
            (life.process, life.name, life.scope.get("legal_entity", "")): (life, truth)
            for life, truth in zip(lives, truths, strict=True)
        }

    def beyond(self, life: Life, known: bool) -> frozenset[tuple[str, str]]:
        """Return the lives farthest on that hold up what this one does; ``known``: and say how much that is."""
        found: set[tuple[str, str]] = set()
        for process, by in FOLLOWS.get(life.process, ()):
            name = life.name if OWN_ID.get(life.process) == by else life.keys.get(by, "")
            follower = self._known.get((process, name, life.entity if by == "invoice" else ""))
            if follower is None:
                continue
            later, truth = follower
            holds = truth.state == "open" and truth.exposure is not None
            knows = holds and isinstance(truth.exposure, tuple)
            farther = self.beyond(later, known or knows)
            if farther:
                found |= farther
            elif holds and (knows or not known):
                found.add((process, name))
        return frozenset(found)


def count_once(lives: Sequence[Life], truths: Sequence[CaseTruth]) -> list[CaseTruth]:
    """Return what must be seen of each life, with the lives in which sums count what it holds up."""
    books = _Books(lives, truths)
    return [
        truth._replace(counted_in=books.beyond(life, isinstance(truth.exposure, tuple)))
        if truth.state == "open" and truth.exposure is not None
        else truth
        for life, truth in zip(lives, truths, strict=True)
    ]
