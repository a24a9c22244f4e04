"""The wheel is whole: in a clean environment and from another folder, its command runs and its files are there."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path
from typing import Any

import pytest


def run(*command: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, f"{words}\n{done.stdout}{done.stderr}"
    return done


@pytest.fixture(scope="module")
def wheel(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, folder=repository)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def clean(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment of its own with the wheel in it; it borrows the dependencies, but not the working tree."""
    folder = tmp_path_factory.mktemp("clean")
    run(sys.executable, "-m", "venv", "--without-pip", ".venv", folder=folder)
    python = folder / ".venv" / "bin" / "python"
    options = ("install", "--quiet", "--no-index", "--no-deps", "--disable-pip-version-check")
    run(sys.executable, "-m", "pip", "--python", python, *options, wheel, folder=folder)
    # A plain path line: what its .pth files name (the working tree, installed editable) is not followed.
    site = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", folder=folder).stdout.strip()
    (Path(site) / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


def test_the_wheel_holds_every_file_of_its_packages(repository: Path, project: dict[str, Any], wheel: Path) -> None:
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    kinds = (".py", ".yaml", ".json", ".html", ".css", ".js")
    files = [path for name in packages for path in (repository / name).rglob("*") if path.suffix in kinds]
    held = set(zipfile.ZipFile(wheel).namelist())
    assert {str(path.relative_to(repository)) for path in files} - held == set()
    assert not [name for name in held if name.startswith(("tests", "bench", "docs"))]


def test_the_wheel_carries_its_licence(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert [name for name in names if name.endswith("licenses/LICENSE")]


def test_what_runs_is_the_wheel_and_not_the_working_tree(clean: Path, repository: Path) -> None:
    question = "import throughline, collector, lineage, kpis, sys; print(throughline.__file__, *sys.path)"
    answer = run(clean / ".venv" / "bin" / "python", "-c", question, folder=clean).stdout
    assert answer.startswith(str(clean.resolve()))
    assert str(repository) not in answer.replace(sysconfig.get_path("purelib"), "")


@pytest.mark.parametrize("words", [("--help",), ("processes", "list"), ("settings",)], ids=" ".join)
def test_its_command_runs_from_another_folder(clean: Path, words: tuple[str, ...]) -> None:
    assert run(clean / ".venv" / "bin" / "throughline", *words, folder=clean).stdout.strip()
