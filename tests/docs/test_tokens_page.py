"""The page of the file of tokens names every entry that there is, and its example can be used."""

from __future__ import annotations

import re
from pathlib import Path

from tests.docs.blocks import blocks_of
from throughline.core.tokens_file import SecretForm, TokenForm, read_tokens

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "tokens.md"


def test_the_example_can_be_used() -> None:
    (example,) = [block for block in blocks_of(PAGE) if block.language == "yaml"]
    assert list(read_tokens(example.text.encode(), "tokens.yaml").tokens) == ["psa-sync", "ana"]


def test_every_entry_is_described_and_no_other() -> None:
    described = re.findall(r"^\| `(\w+)` \|", PAGE.read_text(), re.MULTILINE)
    assert described == [*TokenForm.model_fields, *SecretForm.model_fields]
