"""The lock files hold exact versions with hashes of all that pyproject.toml asks for, and not where they come from."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LOCKS = ("requirements.lock", "requirements-test.lock")


def locked(path: Path) -> dict[str, list[str]]:
    """Return the lines of each package by its name and version."""
    entries: dict[str, list[str]] = {}
    name = ""
    for line in path.read_text().splitlines():
        if line and not line[0].isspace() and not line.startswith("#"):
            name = line.split(" ")[0]
            entries[name] = []
        entries.setdefault(name, []).append(line)
    entries.pop("", None)
    return entries


def versions(path: Path) -> dict[str, str]:
    return dict(entry.split("==") for entry in locked(path))


def wanted(project: dict[str, Any], lock: str) -> list[Requirement]:
    groups = project["project"]["optional-dependencies"]
    lines = project["project"]["dependencies"] + groups["build"] + (groups["test"] if "test" in lock else [])
    return [Requirement(line) for line in lines if not line.startswith("throughline")]


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_a_fitting_version_of_everything_asked_for(
    repository: Path, project: dict[str, Any], lock: str
) -> None:
    have = versions(repository / lock)
    lacking = [
        str(requirement)
        for requirement in wanted(project, lock)
        if not requirement.specifier.contains(have.get(canonicalize_name(requirement.name), "0"))
    ]
    assert lacking == [], "make lock"


@pytest.mark.parametrize("lock", LOCKS)
def test_every_version_is_exact_and_has_hashes(repository: Path, lock: str) -> None:
    entries = locked(repository / lock)
    assert len(entries) > 50
    for entry, lines in entries.items():
        assert re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*", entry)
        assert any(re.search(r"--hash=sha256:[0-9a-f]{64}", line) for line in lines), entry


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_does_not_say_where_packages_come_from(repository: Path, lock: str) -> None:
    text = (repository / lock).read_text()
    assert re.findall(r"\w+://|--(?:extra-)?index-url|--find-links|--trusted-host| @ |(?:^|\s)/\w+", text) == []


def test_the_versions_that_are_installed_are_those_that_were_tested(repository: Path) -> None:
    tested = versions(repository / "requirements-test.lock")
    installed = versions(repository / "requirements.lock")
    assert installed.items() <= tested.items()
