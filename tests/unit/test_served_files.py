"""The files that Label Studio serves, and their addresses."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import SettingsError
from pipeline.label_studio.files import ServedFiles
from pipeline.settings import Settings


def settings(data_dir: Path, root: Path | None = None) -> Settings:
    environ = {"WILDLOOP_DATA_DIR": str(data_dir)}
    if root is not None:
        environ["LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT"] = str(root)
    return Settings.from_environ(environ)


def test_crops_frames_and_links_to_photographs_are_served_but_not_the_rest_of_the_data_folder(
    tmp_path: Path,
) -> None:
    served = ServedFiles.of(settings(tmp_path / "data"))
    assert served.folders == [str(tmp_path / "data" / name) for name in ("crops", "frames", "originals")]


def test_an_address_is_relative_to_the_document_root_and_quoted(tmp_path: Path) -> None:
    served = ServedFiles.of(settings(tmp_path / "my park & co" / "data", tmp_path))
    assert served.address("crops/ab/x.jpg") == "/data/local-files/?d=my%20park%20%26%20co/data/crops/ab/x.jpg"


def test_a_symlinked_document_root_works(tmp_path: Path) -> None:
    (tmp_path / "disk" / "data").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    served = ServedFiles.of(settings(tmp_path / "link" / "data", tmp_path / "link"))
    assert served.folders[0] == str(tmp_path / "link" / "data" / "crops")  # the path on Label Studio's side


@pytest.mark.parametrize("root", ["elsewhere", "data"])
def test_a_data_folder_outside_the_document_root_is_an_error(tmp_path: Path, root: str) -> None:
    with pytest.raises(SettingsError, match="LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT"):
        ServedFiles.of(settings(tmp_path / "data", tmp_path / root))
