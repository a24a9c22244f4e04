"""Pages that are followed one after the other in one data folder: an event of one is not taken for another's."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

from tests.docs.blocks import blocks_of

REPOSITORY = Path(__file__).parents[2]
PAGES = [
    REPOSITORY / "README.md",
    REPOSITORY / "docs" / "reference" / "api.md",
    *sorted((REPOSITORY / "docs" / "how-to").glob("*.md")),
]
_EVENT = re.compile(r'"id": "([^"]+)",\s*"source": "([^"]+)"')


def test_no_event_of_a_page_has_source_and_id_of_another_page_s() -> None:
    pages: dict[tuple[str, str], set[str]] = defaultdict(set)
    for page in PAGES:
        for name, source in _EVENT.findall("".join(block.text for block in blocks_of(page))):
            pages[source, name].add(page.name)
    assert len(pages) > 30
    assert {event: names for event, names in pages.items() if len(names) > 1} == {}
