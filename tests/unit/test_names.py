"""The names of photographs: one form for all the ways to write them, below the folder or elsewhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from importers.reading.image_root import ImageRoot, is_outside
from importers.reading.names import is_absolute, normal, prefix_pattern, relative_to
from importers.reading.paths import natural
from tests.helpers.photographs import put

LETTERS = st.characters(exclude_characters="/\\\x00", exclude_categories=["Cs"])
FOLDERS = st.text(LETTERS, min_size=1, max_size=8).filter(
    lambda part: part not in (".", "..") and part[1:2] != ":" and not part.endswith(":")  # as drives and URLs
)
NAMES = st.lists(FOLDERS, min_size=1, max_size=4)
SEPARATORS = st.sampled_from(["/", "//", "/./", "///", "/././"])


@st.composite
def spelled(draw: st.DrawFn, parts: list[str], separators: st.SearchStrategy[str] = SEPARATORS) -> str:
    """A way to write the name with these parts."""
    return parts[0] + "".join(draw(separators) + part for part in parts[1:])


@given(st.data(), NAMES, st.sampled_from(["", "./", ".//", "././"]))
def test_every_way_to_write_a_name_has_one_form(data: st.DataObject, parts: list[str], begin: str) -> None:
    plain = "/".join(parts)
    assert normal(plain) == plain
    assert normal(begin + data.draw(spelled(parts))) == plain
    assert not is_outside(plain)


@given(st.text(st.sampled_from("aB.:/\\ "), max_size=20))
def test_the_form_of_any_text_is_its_own_form_and_leads_nowhere_unseen(text: str) -> None:
    name = normal(text)
    assert normal(name) == name
    parts = name.split("/")
    assert "." not in parts or name == "."
    if not is_outside(name):
        assert ".." not in parts
        assert "" not in parts
        assert not name.startswith("/")


@pytest.mark.parametrize(
    ("name", "form", "outside"),
    [
        ("a/../b.jpg", "b.jpg", False),
        ("a/../../b.jpg", "../b.jpg", True),
        ("..", "..", True),
        ("..a/b.jpg", "..a/b.jpg", False),
        (".hidden/b.jpg", ".hidden/b.jpg", False),
        ("/data//a/./b.jpg", "/data/a/b.jpg", True),
        ("///data/b.jpg", "/data/b.jpg", True),
        ("//server/share//b.jpg", "//server/share/b.jpg", True),
        ("D:/Photos/../b.jpg", "D:/b.jpg", True),
        ("D:/../../b.jpg", "D:/b.jpg", True),
        ("D:b.jpg", "D:b.jpg", True),
        ("s3://bucket//a/./b.jpg", "s3://bucket/a/b.jpg", True),
    ],
)
def test_the_form_of_names_that_lead_elsewhere(name: str, form: str, outside: bool) -> None:
    assert (normal(name), is_outside(name)) == (form, outside)
    assert is_absolute(form) == (outside and not form.startswith(".."))


@pytest.mark.parametrize(
    ("base", "name", "below"),
    [
        ("/data/a", "/data/a/b/c.jpg", "b/c.jpg"),
        ("/data/a/", "/data/a/b.jpg", "b.jpg"),
        ("/data/a", "/data/ab/c.jpg", None),
        ("/data/a", "/data/a", None),
        ("/Data/a", "/data/a/b.jpg", None),
        ("/", "/a.jpg", "a.jpg"),
        (r"D:\Photos", "d:/photos/Site 1/A.JPG", "Site 1/A.JPG"),
        (r"D:\Photos", "D:/Photos 2/A.JPG", None),
        (r"\\Server\share", "//server/Share/A.JPG", "A.JPG"),
        ("s3://bucket/a", "s3://bucket/a/b.jpg", "b.jpg"),
        ("s3://bucket/a", "gs://bucket/a/b.jpg", None),
    ],
)
def test_an_absolute_name_below_a_folder_is_taken_from_there(base: str, name: str, below: str | None) -> None:
    assert relative_to(base, name) == below


@pytest.mark.parametrize(
    ("prefix", "name", "rest"),
    [
        (r"D:\Fotos", r"D:\Fotos\Site 1\a.jpg", r"Site 1\a.jpg"),
        (r"D:\Fotos", "d:/fotos/a.jpg", "a.jpg"),
        ("D:/Fotos/", r"D:\\Fotos\\a.jpg", "a.jpg"),
        (r"D:\Fotos", r"D:\Fotos 2\a.jpg", None),
        (r"D:\Fotos", r"C:\Fotos\a.jpg", None),
        (r"\\server\share", "//SERVER/share/a.jpg", "a.jpg"),
        ("/mnt/old", "/mnt//old/./a.jpg", "a.jpg"),
        ("/mnt/old", "/Mnt/old/a.jpg", None),
        ("/mnt/old", "mnt/old/a.jpg", None),
        ("../../labelleddata", "../../labelleddata/a.jpg", "a.jpg"),
        ("photos", "./photos/a.jpg", "a.jpg"),
        ("photos", "photos", None),
        ("photos/", "my/photos/a.jpg", None),
        ("gs://bucket/x", "gs://bucket/x/a.jpg", "a.jpg"),
        ("/data/local-files/?d=", "/data/local-files/?d=cam/a.jpg", "cam/a.jpg"),
        ("/", "/a.jpg", "a.jpg"),
        ("a.c", "abc/a.jpg", None),
    ],
)
def test_a_prefix_is_found_however_its_separators_are_written(
    prefix: str, name: str, rest: str | None
) -> None:
    found = prefix_pattern(prefix).match(name)
    assert (found and name[found.end() :]) == rest


@given(st.data(), NAMES, NAMES)
def test_what_is_left_of_a_name_is_what_follows_the_prefix(
    data: st.DataObject, prefix: list[str], rest: list[str]
) -> None:
    separators = SEPARATORS | st.just("\\")
    name = data.draw(spelled([*prefix, *rest], separators))
    found = prefix_pattern("/".join(prefix)).match(name)
    assert found is not None
    assert normal(name[found.end() :].replace("\\", "/")) == "/".join(rest)


# Of a folder


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), parts=NAMES)
def test_a_folder_has_one_name_for_a_photograph(
    tmp_path: Path, data: st.DataObject, parts: list[str]
) -> None:
    root = ImageRoot(tmp_path)
    written = data.draw(spelled(parts))
    names = {
        root.name_of(text)
        for text in (written, f"./{written}", f"{tmp_path}/{written}", f"/{tmp_path}//{written}")
    }
    assert names == {"/".join(parts)}


def test_absolute_names_may_lead_through_links(tmp_path: Path) -> None:
    put(tmp_path / "disk" / "photos" / "a" / "1.jpg", b"")
    (tmp_path / "mnt").symlink_to(tmp_path / "disk")
    for given_root in ("disk", "mnt"):
        root = ImageRoot(tmp_path / given_root / "photos")
        for written in ("disk", "mnt"):
            assert root.name_of(f"{tmp_path}/{written}/photos/a/1.jpg") == "a/1.jpg"
    assert is_outside(root.name_of(f"{tmp_path}/disk/1.jpg"))


@pytest.mark.parametrize(
    "name", ["/a\x00b/1.jpg", "/\ud800/1.jpg", "/" + "x" * 5000 + "/1.jpg", "\x00\\1.jpg"]
)
def test_no_name_ends_in_a_traceback(tmp_path: Path, name: str) -> None:
    assert is_outside(ImageRoot(tmp_path).name_of(name)) == name.startswith("/")


def test_names_of_an_object_store_may_be_whole_addresses() -> None:
    root = ImageRoot("s3://bucket/photos/")
    assert root.name_of("s3://bucket/photos/a//1.jpg") == "a/1.jpg"
    assert is_outside(root.name_of("s3://bucket/other/1.jpg"))
    assert is_outside(root.name_of("/photos/1.jpg"))


@pytest.mark.skipif(os.sep == "\\", reason="a backslash separates folders")
def test_a_file_with_a_backslash_in_its_name_keeps_it(tmp_path: Path) -> None:
    put(tmp_path / "x" / "a\\1.jpg", b"")
    root = ImageRoot(tmp_path, strip_prefix="old")
    assert root.name_of("./x//a\\1.jpg") == "x/a\\1.jpg"
    assert root.name_of("old/x/a\\1.jpg") == "x/a\\1.jpg"
    assert root.name_of("x\\a\\1.jpg") == "x/a/1.jpg"


def test_a_prefix_is_taken_off_before_anything_else(tmp_path: Path) -> None:
    root = ImageRoot(tmp_path, strip_prefix=r"D:\Fotos")
    assert root.name_of(r"D:\Fotos\Site 1\.\a.jpg") == "Site 1/a.jpg"
    assert root.name_of("Site 1/a.jpg") == "Site 1/a.jpg"
    assert is_outside(root.name_of(r"E:\Fotos\a.jpg"))
    assert ImageRoot(tmp_path, strip_prefix=f"{tmp_path}").name_of(f"{tmp_path}/a.jpg") == "a.jpg"


def test_names_sort_by_their_numbers_of_any_length() -> None:
    names = ["IMG_10.jpg", "IMG_2.jpg", "9" * 5_000]
    assert sorted(names, key=natural) == ["9" * 5_000, "IMG_2.jpg", "IMG_10.jpg"]
