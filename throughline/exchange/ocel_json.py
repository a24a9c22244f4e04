"""OCEL 2.0 in JSON: its objects and events, one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import msgspec

from throughline.exchange.entry import Unread, chunks
from throughline.exchange.json_arrays import array_elements
from throughline.exchange.log_file import LogFile
from throughline.exchange.ocel import OcelEvent, OcelObject, exact_decoder

Read = TypeVar("Read", OcelObject, OcelEvent)


class OcelJson:
    """A file of OCEL 2.0 in JSON."""

    def __init__(self, file: LogFile) -> None:
        self._file = file

    def objects(self) -> Iterator[OcelObject | Unread]:
        return self._elements("objects", OcelObject)

    def events(self) -> Iterator[OcelEvent | Unread]:
        return self._elements("events", OcelEvent)

    def done(self) -> float:
        return self._file.done()

    def _elements(self, wanted: str, form: type[Read]) -> Iterator[Read | Unread]:
        decoder = exact_decoder(form)
        number = 0
        with self._file.open() as content:
            for member, element in array_elements(chunks(content)):
                if member != wanted:
                    continue
                number += 1
                try:
                    yield decoder.decode(element)
                except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
                    yield Unread(f"{wanted} {number}", "no_event", f"not as OCEL 2.0 has it: {error}")
