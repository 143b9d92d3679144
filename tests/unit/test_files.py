"""Atomic writes and locks: what other threads and processes see, and what a kill leaves behind."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.errors import FileError, WildloopError
from pipeline.files import reading
from pipeline.files.atomic import atomic_file, atomic_folder
from pipeline.files.lock import locked

ROOT = Path(__file__).parents[2]
HOLDER = """
import os, sys, time
from pathlib import Path
from pipeline.files.lock import locked

with locked(Path(sys.argv[1])):
    if os.fork() == 0:
        time.sleep(30)  # a child that outlives its parent, as a decoding process may
        os._exit(0)
    print("held", flush=True)
    time.sleep(30)
"""
# Windows lacks these modules; Linux has them, so they are blocked here.
WITHOUT_POSIX = """
import importlib, os, pkgutil, sys
for name in ("fcntl", "pwd", "grp", "resource"):
    sys.modules[name] = None
del os.fdatasync
import importers, pipeline
for package in (importers, pipeline):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.startswith(("pipeline.demo", "pipeline.store.migrations")):
            importlib.import_module(module.name)
            print(module.name)
"""


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("fsync", [False, True])
def test_a_file_is_replaced_when_its_block_ends(tmp_path: Path, fsync: bool) -> None:
    path = tmp_path / "new" / "a.txt"
    for text in ("first", "second"):
        with atomic_file(path, fsync=fsync) as draft:
            draft.write_text(text)
            assert not path.exists() or path.read_text() == "first"
        assert path.read_text() == text
    assert left_in(path.parent) == ["a.txt"]


def test_an_error_leaves_the_old_file_and_no_draft(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(UnicodeEncodeError), atomic_file(path) as draft:
        draft.write_text("half ж", "ascii")
    assert path.read_text() == "old"
    assert left_in(tmp_path) == ["a.txt"]


def test_a_private_file_is_never_readable_by_others(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    with atomic_file(path, private=True) as draft:
        assert draft.stat().st_mode & 0o777 == 0o600
        draft.write_text("secret")
    assert path.stat().st_mode & 0o777 == 0o600


def test_other_files_have_the_mode_that_the_system_gives(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    with atomic_file(tmp_path / "a") as draft:
        draft.write_text("")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_link_stays_and_its_target_is_replaced(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("old")
    link.symlink_to(target)
    with atomic_file(link) as draft:
        draft.write_text("new")
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_a_name_of_255_bytes_has_a_draft(tmp_path: Path) -> None:
    path = tmp_path / ("ж" * 126 + ".me")
    with atomic_file(path) as draft:
        draft.write_text("long")
    assert path.read_text() == "long"


def test_threads_write_one_file_side_by_side(tmp_path: Path) -> None:
    path, both = tmp_path / "a", threading.Barrier(2)

    def write(text: str) -> None:
        with atomic_file(path) as draft:
            draft.write_text(text)
            both.wait(timeout=30)

    threads = [threading.Thread(target=write, args=(text,)) for text in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_text() in ("one", "two")
    assert left_in(tmp_path) == ["a"]


@pytest.mark.parametrize("parent", ["a file", "a folder"])
def test_what_cannot_be_written_is_an_error_that_names_it(tmp_path: Path, parent: str) -> None:
    path = tmp_path / "a" / "b"
    if parent == "a file":
        path.parent.write_text("")
        expected = "b cannot be written: .*check the free disk space"
    else:
        path.mkdir(parents=True)
        expected = "b exists and is not a file"
    with pytest.raises(FileError, match=expected), atomic_file(path) as draft:
        draft.write_text("")


@pytest.mark.parametrize("fsync", [False, True])
@pytest.mark.parametrize("empty_before", [False, True])
def test_a_folder_appears_with_all_its_files(tmp_path: Path, fsync: bool, empty_before: bool) -> None:
    path = tmp_path / "out" / "a"
    if empty_before:
        path.mkdir(parents=True)
    with atomic_folder(path, fsync=fsync) as draft:
        (draft / "below").mkdir()
        (draft / "below" / "b").write_text("b")
        assert left_in(path.parent) == sorted([draft.name, *(["a"] if empty_before else [])])
    assert (path / "below" / "b").read_text() == "b"
    assert left_in(path.parent) == ["a"]


def test_a_folder_with_files_is_replaced_only_on_request(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.mkdir()
    (path / "old").write_text("")
    with pytest.raises(FileError, match="a exists already"), atomic_folder(path):
        pass
    with pytest.raises(ValueError, match="no more"), atomic_folder(path, replace=True):
        raise ValueError("no more")
    assert left_in(path) == ["old"]
    with atomic_folder(path, replace=True) as draft:
        (draft / "new").write_text("")
    assert left_in(path) == ["new"]
    assert left_in(tmp_path) == ["a"]


def test_a_folder_that_got_files_meanwhile_keeps_them(tmp_path: Path) -> None:
    path, theirs = tmp_path / "to" / "a", tmp_path / "from"
    theirs.mkdir()
    (theirs / "b").write_text("")
    with pytest.raises(FileError, match="a cannot be written"), atomic_folder(path):
        shutil.copytree(theirs, path)
    assert left_in(path) == ["b"]
    assert left_in(path.parent) == ["a"]


def test_a_lock_refuses_a_second_holder_and_is_free_afterwards(tmp_path: Path) -> None:
    path, busy = tmp_path / "new" / "lock", WildloopError("busy")
    with locked(path), pytest.raises(WildloopError, match="busy"), locked(path, busy=busy):
        pass
    with locked(path, busy=busy):
        pass


def test_a_thread_waits_for_the_lock_of_another(tmp_path: Path) -> None:
    path, held, free = tmp_path / "lock", threading.Event(), threading.Event()

    def hold() -> None:
        with locked(path):
            held.set()
            free.wait(timeout=30)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(timeout=30)
    threading.Timer(0.1, free.set).start()
    with locked(path):
        assert free.is_set()
    thread.join()


def test_a_lock_that_cannot_be_created_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(FileError, match="lock cannot be written"), locked(tmp_path / "a" / "lock"):
        pass


def test_a_killed_process_leaves_no_lock_though_its_child_lives_on(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(WildloopError, match="busy"), locked(path, busy=WildloopError("busy")):
            pass
        process.kill()
        process.wait()
        started = time.monotonic()
        with locked(path):
            waited = time.monotonic() - started
        os.killpg(process.pid, 9)  # the child
    assert waited < 20


def test_the_library_imports_without_what_windows_lacks() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", WITHOUT_POSIX],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    imported = done.stdout.split()
    for command in ("train", "embed", "export", "imports.folder", "embedding.train"):
        assert f"pipeline.cli.{command}" in imported


def test_threads_that_open_one_archive_see_all_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = tmp_path / "photographs.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("A/1.jpg", b"one")
        file.writestr("A/2.jpg", b"two")
    listed, going_on = threading.Event(), threading.Event()
    whole = zipfile.ZipFile.infolist

    def slow(self: zipfile.ZipFile) -> Iterator[zipfile.ZipInfo]:
        for entry in whole(self):
            listed.set()
            going_on.wait(20)
            yield entry

    monkeypatch.setattr(zipfile.ZipFile, "infolist", slow)
    found: dict[str, bool] = {}

    def look(name: str) -> None:
        found[name] = reading.stat(f"zip://A/{name}::{archive}") is not None

    threads = [threading.Thread(target=look, args=(name,)) for name in ("1.jpg", "2.jpg")]
    threads[0].start()
    assert listed.wait(20)
    threads[1].start()
    threads[1].join(0.5)  # it would have ended by now if it looked into the half-read table of contents
    going_on.set()
    for thread in threads:
        thread.join(20)
    assert found == {"1.jpg": True, "2.jpg": True}
