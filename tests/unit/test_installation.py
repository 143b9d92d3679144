"""Packages of other projects that have the names of ours, and pip, which cannot install the right ones."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.errors import InstallationError
from pipeline.installation import PACKAGES, ROOT, check_packages, shadowed_packages
from pipeline.settings import Settings
from pipeline.workspace import open_workspace

REPOSITORY = Path(__file__).parents[2]


def run_in(folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Python started in `folder`, which comes first on its path, as with `python -m` and notebooks."""
    environ = os.environ | {"PYTHONPATH": str(ROOT), "WILDLOOP_DATA_DIR": str(folder / "data")}
    return subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=environ, capture_output=True, text=True
    )


def test_our_own_packages_are_found_where_they_lie(tmp_path: Path) -> None:
    assert shadowed_packages() == {}
    check_packages()
    workspace = open_workspace(Settings.from_environ({"WILDLOOP_DATA_DIR": str(tmp_path / "data")}))
    workspace.database.dispose()


@pytest.mark.parametrize("hidden", ["backend/__init__.py", "importers.py"])
def test_a_package_of_the_same_name_in_the_working_directory_is_refused(tmp_path: Path, hidden: str) -> None:
    file = tmp_path / hidden
    file.parent.mkdir(exist_ok=True)
    file.touch()
    done = run_in(tmp_path, "from pipeline.workspace import open_workspace; open_workspace()")
    assert done.returncode == 1
    assert "InstallationError: Python imports" in done.stderr
    assert str(file) in done.stderr
    assert "wildloop worker" in done.stderr
    assert not (tmp_path / "data").exists()


def test_a_folder_without_modules_hides_nothing(tmp_path: Path) -> None:
    (tmp_path / "backend").mkdir()
    done = run_in(tmp_path, "from pipeline.installation import check_packages; check_packages()")
    assert (done.returncode, done.stderr) == (0, "")


def test_every_package_counts_as_hidden_by_a_copy_elsewhere(tmp_path: Path) -> None:
    assert set(shadowed_packages(tmp_path)) == set(PACKAGES)
    with pytest.raises(InstallationError) as caught:
        check_packages(tmp_path)
    assert "PYTHONPATH" in str(caught.value.remedy)


def test_pip_is_refused_with_the_line_that_installs() -> None:
    """pip marks its builds by a variable; every other front end builds."""
    pytest.importorskip("hatchling", reason="the build backend is not installed; uv pip install hatchling")
    code = (
        "import sys; sys.path.insert(0, '.'); import hatch_build;"
        "hatch_build.RefusePip('.', {}, None, None, '.', 'wheel').initialize('standard', {}); print('built')"
    )
    environ = {name: value for name, value in os.environ.items() if name != "PIP_BUILD_TRACKER"}

    def build(**changes: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", code],
            cwd=REPOSITORY,
            env=environ | changes,
            capture_output=True,
            text=True,
        )

    assert build().stdout == "built\n"
    refused = build(PIP_BUILD_TRACKER="/tmp/tracker")
    assert refused.returncode == 1
    assert "uv pip install ." in refused.stderr
    assert "Traceback" not in refused.stderr
