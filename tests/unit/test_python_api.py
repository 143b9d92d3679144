"""`import wildloop`: its names, what it loads, and the page that shows it."""

from __future__ import annotations

import csv
import inspect
import re
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import wildloop
from pipeline.workspace import Workspace
from tests.helpers.fake_label_studio import FakeLabelStudio
from tests.helpers.photographs import encoded, put, scene

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "python.md").read_text()


class LabelStudio(FakeLabelStudio):
    """Has no project until one is created; `label` annotates every task."""

    def __init__(self) -> None:
        super().__init__()
        self.created: list[dict[str, Any]] = []

    def label(self, species: Sequence[str]) -> None:
        for number, task in enumerate(sorted(self.rows)):
            self.annotate(task, species[number % len(species)])

    def projects(self, title: str) -> list[dict[str, Any]]:
        return self.created

    def create_project(self, **fields: Any) -> dict[str, Any]:
        self.fields.update(fields)
        self.created = [self.fields]
        return self.fields

    def add_local_storage(self, project_id: int, *, path: str, title: str) -> dict[str, Any]:
        self.storages.append({"path": path, "title": title})
        return self.storages[-1]


def test_every_name_resolves_and_explains_itself() -> None:
    assert len(wildloop.__all__) == len(set(wildloop.__all__)) > 60
    for name in wildloop.__all__:
        named = getattr(wildloop, name)
        assert inspect.getdoc(named), name
    assert set(wildloop.__all__) <= set(dir(wildloop))


def test_every_function_is_typed() -> None:
    for name in wildloop.__all__:
        function = getattr(wildloop, name)
        if not inspect.isfunction(function) or not function.__module__.startswith("wildloop"):
            continue
        signature = inspect.signature(function)
        assert signature.return_annotation is not inspect.Signature.empty, name
        assert all(each.annotation is not inspect.Parameter.empty for each in signature.parameters.values())


def test_the_stub_lists_what_the_modules_offer() -> None:
    offered = {"errors"}
    for path in (ROOT / "wildloop").glob("[a-z]*.py"):
        module = __import__(f"wildloop.{path.stem}", fromlist=["__all__"])
        offered |= set(module.__all__)
    assert set(wildloop.__all__) == offered


@pytest.mark.parametrize("then", ["", "wildloop.open_workspace", "wildloop.import_coco; wildloop.export_csv"])
def test_import_loads_neither_torch_nor_flask(then: str) -> None:
    code = (
        f"import sys, wildloop; {then or 'None'}\n"
        "print(sorted({'torch', 'torchvision', 'flask', 'sklearn', 'label_studio_sdk'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_import_alone_loads_no_part() -> None:
    code = "import sys, wildloop; print(sorted({'numpy', 'sqlalchemy', 'click'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_version_stands_in_one_place() -> None:
    import pipeline

    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert wildloop.__version__ == pipeline.__version__ == declared


def test_the_page_names_every_function() -> None:
    functions = {name for name in wildloop.__all__ if inspect.isfunction(getattr(wildloop, name))}
    assert {name for name in functions if f"`{name}`" not in PAGE} == set()


def test_a_workspace_of_a_folder_has_a_database_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WILDLOOP_DATABASE_URL", "postgresql://nowhere.invalid/other")
    workspace = wildloop.open_workspace(tmp_path / "own")
    assert workspace.data_dir == tmp_path / "own"
    assert wildloop.status(workspace).photographs == 0
    assert (tmp_path / "own" / "wildloop.db").is_file()


def test_the_examples_of_the_page_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server = LabelStudio()
    monkeypatch.setattr(Workspace, "label_studio", lambda _: server)
    monkeypatch.chdir(tmp_path)
    for number in range(24):
        put(Path("photographs") / f"CAM{number % 4}" / f"{number}.jpg", encoded(scene(seed=number)))
    importing, folder, project, training = re.findall(
        r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE
    )
    names: dict[str, Any] = {}
    exec(importing + folder, names)
    printed = capsys.readouterr().out
    assert "24 new photographs, 24 new crops" in printed
    assert "24 detections in labels.csv" in printed
    with Path("labels.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 24
    exec(project, names)
    assert names["refreshed"].record.version.startswith("v0-")
    assert len(server.queue()) == names["refreshed"].stock.open == 24
    server.label(["deer", "fox"])
    exec(training, names)
    assert names["refreshed"].record.labels == 22  # two of the queue's 24 are audit crops
    assert names["probabilities"].shape == (24, 2)
    assert "accuracy on randomly drawn crops" in capsys.readouterr().out
