"""Names of logs as names here: activities become event types, object types become key types, by one rule.

A name is split at changes from lower to upper case, written in lower case, accents are dropped, and every run of other
characters becomes one ``_``. ``Create Purchase Order`` of an OCEL log becomes the type ``ocel.create_purchase_order``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field

from throughline.core.errors import LastingError
from throughline.core.forms import Form
from throughline.core.yaml_file import load_yaml, validate

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_OTHER = re.compile(r"[^a-z0-9]+")
# Members of an event's data with a meaning of their own: docs/reference/event.md. A log's column of such a name does
# not mean that, unless the names file says so.
OWN_NAMES = frozenset(
    {
        "amount",
        "amounts",
        "control_number",
        "currency",
        "error",
        "flow",
        "hours",
        "instance",
        "outcome",
        "relations",
        "sequence",
        "synthetic",
        "system",
    }
)
ACTIVITY = "activity"  # the field that keeps an activity's name as the log writes it

TypeName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_:/-]*(\.[A-Za-z0-9_:/-]+)+$", max_length=200)]
FieldName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=100)]


class NamesForm(Form):
    """What a names file says; every part may be left out."""

    types: dict[str, TypeName] = Field(default={}, description="activities, as event types")
    keys: dict[str, FieldName] = Field(default={}, description="object types, or `case`, as key types")
    fields: dict[str, FieldName] = Field(default={}, description="attributes, as fields")
    add: dict[FieldName, str | bool] = Field(default={}, description="fields that every event gets, such as currency")


class NamesCollide(LastingError):
    """Two names of a log would become one; the message says how to tell them apart."""


def read_names(path: Path | None) -> NamesForm:
    """Read a names file; raises ConfigurationError with every fault."""
    return NamesForm() if path is None else validate(load_yaml(path), NamesForm)


class Names:
    """The names of one log; remembers them, so that no two of its names become one."""

    def __init__(self, prefix: str, given: NamesForm) -> None:
        self.prefix = prefix
        self.add: Mapping[str, str | bool] = given.add
        self._given = given
        self.types: dict[str, str] = {}
        self.keys: dict[str, str] = {}
        self.fields: dict[str, str] = {}
        self._taken: dict[tuple[str, str], str] = {}

    def type_of(self, activity: str, suffix: str = "") -> str:
        """Return the event type of an activity; ``suffix`` tells apart what else happens to it."""
        raw = f"{activity}.{suffix}" if suffix else activity
        known = self.types.get(raw)
        if known is None:
            named = self._given.types.get(raw)
            if named is None:
                whole = self._given.types.get(activity) or f"{self.prefix}.{plain_name(activity)}"
                named = f"{whole}.{plain_name(suffix)}" if suffix else whole
            known = self._keep(self.types, "types", raw, named)
        return known

    def key_of(self, kind: str) -> str:
        """Return the key type of an object type."""
        known = self.keys.get(kind)
        if known is None:
            named = self._given.keys.get(kind) or self._apart(plain_name(kind))
            known = self._keep(self.keys, "keys", kind, named)
        return known

    def field_of(self, attribute: str) -> str:
        """Return the field of an attribute; one that would be read as something else gets the prefix."""
        known = self.fields.get(attribute)
        if known is None:
            named = self._given.fields.get(attribute)
            if named is None:
                named = self._apart(plain_name(attribute))
                if named == ACTIVITY or named in self.keys.values():
                    named = f"{plain_name(self.prefix)}_{named}"
            known = self._keep(self.fields, "fields", attribute, named)
        return known

    def _apart(self, name: str) -> str:
        return f"{plain_name(self.prefix)}_{name}" if name in OWN_NAMES else name

    def _keep(self, table: dict[str, str], part: str, raw: str, name: str) -> str:
        other = self._taken.setdefault((part, name), raw)
        if other != raw and raw not in getattr(self._given, part):
            raise NamesCollide(
                f"the log has both {other!r} and {raw!r}, and both would be called {name}: "
                f"give one of them another name under `{part}:` in a file, and say --names FILE"
            )
        table[raw] = name
        return name


def plain_name(text: str) -> str:
    """Return a name of lower-case letters, digits and ``_``; a letter that has no Latin form becomes its number."""
    spaced = _HUMP.sub("_", unicodedata.normalize("NFKD", text))
    plain = "".join(_latin(letter) for letter in spaced if not unicodedata.combining(letter))
    name = _OTHER.sub("_", plain.lower()).strip("_") or "unnamed"
    return f"n{name}" if name[0].isdigit() else name


def _latin(letter: str) -> str:
    return letter if letter.isascii() or not letter.isalnum() else f"u{ord(letter):x}"
