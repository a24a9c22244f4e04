"""What the firm declares, as parts read it: once, until its files change."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from throughline.core.errors import ConfigurationError
from throughline.serve.part import declared

ESTATE = "firm: {{reporting_currency: {}}}\n"


def test_what_was_read_stands_until_a_file_changes(tmp_path: Path) -> None:
    path = tmp_path / "estate.yaml"
    path.write_text(ESTATE.format("EUR"))
    first = declared(tmp_path)
    assert declared(tmp_path) is first
    path.write_text(ESTATE.format("CHF"))
    os.utime(path, (1, 1))
    second = declared(tmp_path)
    assert second[1].fingerprint != first[1].fingerprint
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "keys.yaml").write_text("keys:\n  approval: {}\n")
    assert "approval" in declared(tmp_path)[0].key_types


def test_faults_are_told_each_time_and_what_follows_them_is_read(tmp_path: Path) -> None:
    path = tmp_path / "estate.yaml"
    path.write_text("firm: {reporting_curency: EUR}\n")
    for _ in range(2):
        with pytest.raises(ConfigurationError, match=r"estate\.yaml"):
            declared(tmp_path)
    path.write_text(ESTATE.format("EUR"))
    assert declared(tmp_path) is declared(tmp_path)


def test_without_a_folder_it_is_the_pack() -> None:
    assert declared(None) is declared(None)
    assert "time-to-bill" in declared(None)[0].processes
