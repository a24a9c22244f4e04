"""What a text that people and systems are known by may hold."""

from __future__ import annotations

import re

# Category Cc of Unicode, the separator of interned keys among it, and halves of surrogate pairs, which no UTF-8 has.
_REFUSED = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def has_control_characters(text: str) -> bool:
    """Say whether a text holds what no identifier may: a control character (a tab is one), or half a character.

    Every other text is somebody's identifier: no-break and ideographic spaces, joiners and soft hyphens as well.
    """
    return not text.isprintable() and _REFUSED.search(text) is not None  # the first says no of most, at once
