"""Reference pages say what the code declares."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.docs.pages import PAGES, REFERENCE


@pytest.mark.parametrize(("name", "page"), PAGES.items(), ids=PAGES)
def test_a_reference_page_is_up_to_date(name: str, page: Callable[[], str]) -> None:
    assert (REFERENCE / name).read_text() == page(), "make docs"
