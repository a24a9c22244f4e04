"""The repository speaks about the product only."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

MADE = {"build", "dist", "__pycache__", "throughline-data"}
OURS = {".ci", ".gitignore", ".dockerignore"}
# Folders of one machine or one account: nobody else has them. Written apart, so that this file has none itself.
MACHINE_PATHS = re.compile("/" + r"(?:work|home/\w+|Users/\w+|root|tmp/\w*jobs\w*)" + r"/[\w.]+")


def texts(repository: Path) -> Iterator[tuple[Path, str]]:
    for path in sorted(repository.rglob("*")):
        inside = path.relative_to(repository)
        made = any(part in MADE or (part[0] == "." and part not in OURS) for part in inside.parts)
        if path.is_file() and not made:
            with contextlib.suppress(UnicodeDecodeError):
                yield inside, path.read_text("utf-8")


def test_no_file_names_a_folder_of_one_machine(repository: Path) -> None:
    found = [(str(path), match[0]) for path, text in texts(repository) for match in MACHINE_PATHS.finditer(text)]
    assert found == []


@pytest.mark.parametrize("text", ["/" + "work/main/x", "/" + "home/ann/x", "/" + "Users/ann/x", "/" + "root/.cache"])
def test_a_folder_of_one_machine_would_be_noticed(text: str) -> None:
    assert MACHINE_PATHS.search(f"see {text}.")


def test_the_licence_is_apache_2(repository: Path) -> None:
    text = (repository / "LICENSE").read_text()
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
