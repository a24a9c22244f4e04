"""Imports go down only: the contract holds, covers every package, and would notice a breach."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


def check_contract(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)


def test_imports_go_down_only(repository: Path) -> None:
    checked = check_contract(repository)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("collector/breach.py", "import lineage.process"),
        ("lineage/breach.py", "import collector"),
        ("lineage/breach.py", "import throughline.api"),
        ("lineage/breach.py", "import kpis"),
        ("kpis/breach.py", "import throughline.api"),
        ("kpis/breach.py", "import collector"),
        ("throughline/core/breach.py", "import lineage"),
        ("throughline/api/breach.py", "import throughline.cli"),
        ("throughline/demo/breach.py", "import lineage"),
        ("throughline/demo/breach.py", "import collector"),
        ("throughline/demo/breach.py", "import kpis"),
        ("throughline/exchange/breach.py", "import lineage"),
        ("throughline/exchange/breach.py", "import throughline.api"),
    ],
)
def test_an_import_upwards_or_across_breaks_the_contract(
    repository: Path, project: dict[str, Any], tmp_path: Path, module: str, line: str
) -> None:
    for name in project["tool"]["importlinter"]["root_packages"]:
        shutil.copytree(repository / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(repository / "pyproject.toml", tmp_path)
    for package in ("throughline/api", "throughline/cli", "throughline/demo"):
        (tmp_path / package).mkdir(exist_ok=True)
        (tmp_path / package / "__init__.py").touch()
    (tmp_path / module).write_text(f"{line}\n")
    checked = check_contract(tmp_path)
    assert checked.returncode == 1, checked.stdout + checked.stderr
    assert f"{module.removesuffix('.py').replace('/', '.')} -> " in checked.stdout


def test_every_package_is_in_the_wheel_and_under_the_contract(repository: Path, project: dict[str, Any]) -> None:
    apart = {"tests", "bench"}
    packages = {path.parent.name for path in repository.glob("[!.]*/__init__.py")} - apart
    assert packages == set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])
    assert packages == set(project["tool"]["importlinter"]["root_packages"])
    parts = {f"throughline.{path.parent.name}" for path in (repository / "throughline").glob("*/__init__.py")}
    layers = " ".join(project["tool"]["importlinter"]["contracts"][0]["layers"])
    assert [part for part in parts if part not in layers] == []
