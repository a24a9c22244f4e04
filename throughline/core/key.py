"""Keys: business identifiers an event carries, normalised once per key type."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

from throughline.core.text import has_control_characters

DEFAULT_PLACEHOLDERS = frozenset(
    {"", "0", "-", "--", "?", "n/a", "na", "none", "nil", "null", "unknown", "undefined", "tbd", "tba"}
)

MOST_BYTES: Final = 1_024
"""Of a value, and of the values of its scope together, in UTF-8: an index of PostgreSQL takes 2,704 in all."""

NORMALISERS: Mapping[str, Callable[[str], str]] = {
    "upper": str.upper,
    "lower": str.lower,
    "strip_leading_zeros": lambda text: text.lstrip("0") or "0",
}


class Key(NamedTuple):
    """A normalised key: its type, its value, and the scope values in the order its type declares them."""

    type: str
    value: str
    scope: tuple[str, ...] = ()

    def encode(self) -> str:
        """Return the one text by which this key is interned; ``Key.decode`` reads it back."""
        return "\x1f".join((self.type, self.value, *self.scope))

    @staticmethod
    def decode(text: str) -> Key:
        """Read a key from its interned text."""
        kind, value, *scope = text.split("\x1f")
        return Key(kind, value, tuple(scope))


class KeyType(NamedTuple):
    """How values of one key type are read; declared once, for all processes, without versions.

    ``scope`` names the event fields that say who issued the number. ``normalise`` names entries of ``NORMALISERS``,
    applied in order after surrounding white space is cut off; ``strip_prefix`` is cut off first, in any case of
    letters. ``placeholders`` are compared in lower case, before and after normalisation.
    """

    name: str
    scope: tuple[str, ...] = ()
    normalise: tuple[str, ...] = ()
    strip_prefix: str = ""
    placeholders: frozenset[str] = DEFAULT_PLACEHOLDERS

    def value(self, raw: str) -> str | None:
        """Return the normalised value of a raw text; None where it is a placeholder.

        A control character inside, the separator of interned keys among them, makes a value a placeholder too; so do
        more than MOST_BYTES.
        """
        text = raw.strip()
        if text.lower() in self.placeholders or has_control_characters(text):
            return None
        if self.strip_prefix and text.lower().startswith(self.strip_prefix.lower()):
            text = text[len(self.strip_prefix) :]
        for name in self.normalise:
            text = NORMALISERS[name](text)
        return None if text.lower() in self.placeholders or _is_too_long(text) else text


_SCOPE = KeyType("scope")


def scope_of(raws: Iterable[str | None]) -> tuple[str, ...] | None:
    """Return scope values, which are read as a plain key is; None where one is none, or all together are too long."""
    values: list[str] = []
    for raw in raws:
        value = None if raw is None else _SCOPE.value(raw)
        if value is None:
            return None
        values.append(value)
    return None if _is_too_long("".join(values)) else tuple(values)


def _is_too_long(text: str) -> bool:
    return len(text) > MOST_BYTES // 4 and len(text.encode()) > MOST_BYTES
