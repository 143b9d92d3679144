"""Decoding, cropping and framing photographs."""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pipeline import crops, images
from pipeline.errors import FileError, PhotoError
from pipeline.images import Photo
from pipeline.records import WHOLE_FRAME, Box
from tests.helpers.photographs import encoded, scene

ARROW = Box(x1=0.25, y1=0.25, x2=0.5, y2=0.5)


@st.composite
def boxes(draw: st.DrawFn) -> Box:
    x1, x2 = sorted(draw(st.lists(st.floats(0, 1), min_size=2, max_size=2, unique=True)))
    y1, y2 = sorted(draw(st.lists(st.floats(0, 1), min_size=2, max_size=2, unique=True)))
    return Box(x1=x1, y1=y1, x2=x2, y2=y2)


@given(box=boxes(), width=st.integers(1, 5000), height=st.integers(1, 5000), context=st.floats(1, 3))
def test_a_crop_lies_inside_the_frame_and_holds_the_whole_box_wherever_that_is_possible(
    box: Box, width: int, height: int, context: float
) -> None:
    area = crops.square(box, width, height, context)
    left, right = int(box.x1 * width), max(int(np.ceil(box.x2 * width)), int(box.x1 * width) + 1)
    top, bottom = int(box.y1 * height), max(int(np.ceil(box.y2 * height)), int(box.y1 * height) + 1)
    assert area.side >= 1
    if area.side <= min(width, height):
        assert area.left >= 0
        assert area.left + area.side <= width
        assert area.top >= 0
        assert area.top + area.side <= height
    else:  # only a box longer than the frame's shorter side reaches beyond the frame
        assert max(right - left, bottom - top) > min(width, height)
        assert area.side <= max(width, height)
    assert area.left <= min(left, width - 1)
    assert min(right, width) <= area.left + area.side
    assert area.top <= min(top, height - 1)
    assert min(bottom, height) <= area.top + area.side


def test_a_crop_is_a_square_of_1_69_times_the_longer_side_about_the_centre() -> None:
    area = crops.square(Box(x1=0.4, y1=0.45, x2=0.6, y2=0.55), 1000, 1000)
    assert (area.side, area.left, area.top) == (338, 331, 331)


def test_a_crop_at_the_edge_is_shifted_inside_instead_of_clipped() -> None:
    area = crops.square(Box(x1=0.0, y1=0.9, x2=0.1, y2=1.0), 1000, 1000)
    assert (area.side, area.left, area.top) == (169, 0, 1000 - 169)


def test_the_crop_shows_the_pixels_of_its_box() -> None:
    image = Image.new("RGB", (400, 300), "black")
    image.paste((255, 0, 0), (100, 75, 200, 150))
    photo = Photo(encoded(image, "PNG"))
    crop = np.asarray(crops.crop(photo, crops.square(ARROW, 400, 300, context=1.0)))
    assert crop.shape == (100, 100, 3)
    red = (crop == (255, 0, 0)).all(axis=2)
    assert red[:, 50].sum() == 75  # the box is 100 x 75 pixels
    assert red[50].sum() == 100


def test_a_large_crop_is_made_smaller_and_a_small_one_never_larger() -> None:
    photo = Photo(encoded(scene(1200, 900)))
    assert crops.crop(photo, crops.square(WHOLE_FRAME, 1200, 900), 448).size == (448, 448)
    assert crops.crop(photo, crops.square(Box(x1=0.5, y1=0.5, x2=0.51, y2=0.51), 1200, 900)).size == (
        20,
        20,
    )


def test_a_whole_frame_that_is_no_square_is_padded_not_cut() -> None:
    photo = Photo(encoded(Image.new("RGB", (200, 100), "white"), "PNG"))
    crop = np.asarray(crops.crop(photo, crops.square(WHOLE_FRAME, 200, 100)))
    assert crop.shape == (200, 200, 3)
    assert (crop[0] == images.PADDING).all()
    assert (crop[100] == 255).all()
    assert (crop[50:150] == 255).all()


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_turns_a_photograph_upright(form: str, orientation: int) -> None:
    upright = Image.new("RGB", (320, 160), "black")
    upright.paste((255, 255, 255), (0, 0, 80, 40))  # bright at the top left when upright
    turned_back = {  # how a camera stores it (EXIF 2.3, tag 0x0112)
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    stored = upright if turned_back is None else upright.transpose(turned_back)
    photo = Photo(encoded(stored, form, orientation=orientation))
    assert (photo.width, photo.height) == (320, 160)
    for scale in (0.2, 1.0):
        pixels = np.asarray(photo.pixels(scale)).astype(int)
        assert pixels.shape[1] == 2 * pixels.shape[0]
        assert pixels[: pixels.shape[0] // 5, : pixels.shape[1] // 5].mean() > 240
        assert pixels[:, pixels.shape[1] // 2 :].mean() < 10


def test_a_jpeg_is_decoded_no_larger_than_needed_and_never_smaller() -> None:
    photo = Photo(encoded(scene(1603, 901)))
    small = photo.pixels(0.2)
    assert 0.2 * 1603 <= small.width <= 0.26 * 1603
    assert photo.pixels(0.1) is small  # what was decoded is kept
    assert photo.pixels(1.0).size == (1603, 901)


def test_a_crop_is_the_same_whether_the_photograph_was_decoded_whole_or_reduced() -> None:
    data = encoded(scene(1600, 1200))
    area = crops.square(WHOLE_FRAME, 1600, 1200)
    whole, reduced = Photo(data), Photo(data)
    whole.pixels(1.0)
    first = np.asarray(crops.crop(whole, area), dtype=int)
    second = np.asarray(crops.crop(reduced, area), dtype=int)
    assert np.abs(first - second).mean() < 2


def test_every_kind_of_pixel_becomes_rgb() -> None:
    deep = Image.fromarray((np.arange(64 * 64).reshape(64, 64) + 1000).astype(np.uint16))
    for image, form in [
        (scene().convert("CMYK"), "JPEG"),
        (scene().convert("L"), "JPEG"),
        (scene().convert("P"), "PNG"),
        (scene().convert("1"), "PNG"),
        (scene().convert("RGBA"), "PNG"),
        (scene().convert("LA"), "PNG"),
        (deep, "PNG"),
        (deep.convert("I"), "TIFF"),
        (deep.convert("F"), "TIFF"),
    ]:
        assert Photo(encoded(image, form)).pixels().mode == "RGB", (image.mode, form)


def test_a_sixteen_bit_photograph_keeps_its_contrast() -> None:
    deep = Image.fromarray((np.arange(64 * 64).reshape(64, 64) + 30000).astype(np.uint16))
    pixels = np.asarray(Photo(encoded(deep, "PNG")).pixels())
    assert (pixels.min(), pixels.max()) == (0, 255)


def test_the_time_is_read_from_exif() -> None:
    moment = dt.datetime(2021, 4, 11, 20, 43, 9)
    assert Photo(encoded(scene(), taken_at=moment)).taken_at == moment
    assert Photo(encoded(scene(), "WEBP", taken_at=moment)).taken_at == moment
    assert Photo(encoded(scene(), "PNG", taken_at=moment)).taken_at == moment


def test_a_time_of_twelve_hours_is_the_afternoon_that_it_says() -> None:
    for text, hour in (("02:00:04 PM", 14), ("02:00:04 am", 2), ("12:00:04PM", 12), ("12:00:04 AM", 0)):
        assert Photo(encoded(scene(), taken_at=f"2021:05:01 {text}")).taken_at == dt.datetime(
            2021, 5, 1, hour, 0, 4
        )


def test_a_year_without_cameras_is_no_time_and_the_next_tag_counts() -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = "0001:01:01 00:00:00"
    exif[0x0132] = "2021:05:01 10:00:00"
    target = io.BytesIO()
    scene().save(target, "JPEG", exif=exif)
    assert Photo(target.getvalue()).taken_at == dt.datetime(2021, 5, 1, 10)


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_time_of_a_reconyx_camera_is_in_its_maker_note(order: str) -> None:
    words = [0xF101, 0, 0, 0, 0, 0, ord("M"), 1, 3, 0, 5, 31, 8, 20, 12, 24, 2015]  # ... month, day, year
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x927C] = struct.pack(f"{order}{len(words)}H", *words)
    exif[0x0132] = "2021:05:01 10:00:00"  # when a program wrote the file
    target = io.BytesIO()
    scene().save(target, "JPEG", exif=exif)
    assert Photo(target.getvalue()).taken_at == dt.datetime(2015, 12, 24, 20, 8, 31)


def test_a_maker_note_of_another_camera_is_no_time() -> None:
    for note in (b"\x01\xf1", b"RECONYXH2\x00" + bytes(60), b"\x01\xf1" + b"\xff" * 60):
        exif = Image.Exif()
        exif.get_ifd(0x8769)[0x927C] = note
        target = io.BytesIO()
        scene().save(target, "JPEG", exif=exif)
        assert Photo(target.getvalue()).taken_at is None


def test_times_of_photographs_as_cameras_write_them(field_cases: Path) -> None:
    may = dt.datetime(2021, 5, 1, 10)
    expected = {
        "images/photos/camA/exif_y1.jpg": None,
        "images/photos/camA/exif_zero.jpg": may,
        "images/photos/camA/exif_24h.jpg": None,
        "images/photos/camA/exif_iso.jpg": may.replace(second=2),
        "images/photos/camA/exif_ampm.jpg": may.replace(hour=14, second=4),
        "images/photos/camA/exif_1970.jpg": dt.datetime(1970, 1, 1, 0, 0, 5),
        "images/photos/camA/exif_future.jpg": dt.datetime(2099, 1, 1, 10, 0, 5),
        # The words of its maker note are month 5, then day 7, in the order in which RECONYX writes them.
        "reconyx_makernote/photos/cam/RCNX0001.JPG": dt.datetime(2015, 5, 7, 8, 8, 31),
    }
    found = {name: Photo((field_cases / name).read_bytes()).taken_at for name in expected}
    assert found == expected


@pytest.mark.parametrize(
    "text",
    ["0000:00:00 00:00:00", "2021:13:40 25:61:61", "    :  :     :  :  ", "yesterday", "", "2021:04:11"],
)
def test_a_senseless_time_is_no_time(text: str) -> None:
    assert Photo(encoded(scene(), taken_at=text)).taken_at is None


def test_other_spellings_of_the_time_are_understood() -> None:
    for text in ("2021-04-11 20:43:09", "2021:04:11T20:43:09", "2021:04:11 20:43:09\x00"):
        assert Photo(encoded(scene(), taken_at=text)).taken_at == dt.datetime(2021, 4, 11, 20, 43, 9)


def test_garbage_in_place_of_exif_costs_the_time_and_not_the_photograph() -> None:
    clean = encoded(scene())
    garbage = b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\xff\xff" + b"\xfe" * 40
    data = clean[:2] + b"\xff\xe1" + (len(garbage) + 2).to_bytes(2, "big") + garbage + clean[2:]
    photo = Photo(data)
    assert photo.taken_at is None
    assert photo.pixels().size == (160, 120)


@pytest.mark.parametrize(
    ("data", "failure"),
    [
        (b"", "empty"),
        (b"just text\n" * 100, "not_an_image"),
        (b"%PDF-1.4 and so on", "not_an_image"),
        (encoded(scene())[:5], "not_an_image"),
        (encoded(scene(800, 600))[:300], "truncated"),
        (encoded(scene(800, 600))[:3000], "truncated"),
        (encoded(scene(800, 600), "PNG")[:3000], "truncated"),
    ],
)
def test_what_is_wrong_with_a_file_is_named_by_a_short_kind(data: bytes, failure: str) -> None:
    with pytest.raises(PhotoError) as caught:
        Photo(data).pixels()
    assert caught.value.failure == failure
    assert caught.value.detail


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_whose_end_is_missing_is_decoded_as_far_as_it_goes(progressive: bool) -> None:
    target = io.BytesIO()
    scene(800, 600).save(target, "JPEG", progressive=progressive)
    whole = target.getvalue()
    expected = np.asarray(Photo(whole).pixels(), dtype=int)
    photo = Photo(whole[: len(whole) * 3 // 4], partial=True)
    assert photo.defect is None  # nobody has asked for its pixels
    pixels = np.asarray(photo.pixels(), dtype=int)
    assert pixels.shape == (600, 800, 3)
    assert np.abs(pixels - expected)[:200].mean() < 10
    assert photo.defect == "truncated"
    reduced = Photo(whole[: len(whole) * 3 // 4], partial=True)
    assert reduced.pixels(0.2).size == (200, 150)
    assert reduced.defect == "truncated"
    intact = Photo(whole, partial=True)
    intact.pixels()
    assert intact.defect is None
    with pytest.raises(PhotoError, match="truncated"):
        Photo(whole[: len(whole) * 3 // 4]).pixels()  # a crop of ours must be whole


def test_a_jpeg_that_ends_before_its_first_pixels_is_a_failure() -> None:
    whole = encoded(scene(800, 600))
    photo = Photo(whole[: whole.index(b"\xff\xda") + 14], partial=True)  # 14 bytes of a scan's header
    with pytest.raises(PhotoError, match="before the first pixels") as caught:
        photo.pixels()
    assert caught.value.failure == "truncated"


def test_photographs_whose_end_is_missing_are_shown_as_far_as_they_go(field_cases: Path) -> None:
    names = [f"images/photos/camA/{name}.jpg" for name in ("t99", "t50", "t02")]
    for path in (field_cases / name for name in [*names, "md_failures/photos/c/trunc.jpg"]):
        photo = Photo(path.read_bytes(), partial=True)
        assert (photo.pixels().size, photo.defect) == ((1600, 1200), "truncated")


def test_a_decompression_bomb_is_refused_before_it_is_decoded() -> None:
    for side in (9_500, 20_000):
        header = b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
        chunks = (header, b"IDAT" + zlib.compress(bytes(1000)), b"IEND")
        bomb = b"\x89PNG\r\n\x1a\n" + b"".join(
            struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
            for chunk in chunks
        )
        with pytest.raises(PhotoError) as caught:
            Photo(bomb)
        assert caught.value.failure == "too_large"


@given(
    form=st.sampled_from(["JPEG", "PNG", "TIFF", "WEBP", "GIF", "BMP"]),
    places=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), min_size=1, max_size=8),
    length=st.floats(0.05, 1),
)
def test_damage_of_any_sort_ends_as_a_photo_error_or_a_picture(
    form: str, places: list[tuple[float, int]], length: float
) -> None:
    data = bytearray(encoded(scene(48, 32), form, taken_at="2021:04:11 20:43:09", orientation=6))
    for place, value in places:
        data[int(place * len(data))] = value
    with contextlib.suppress(PhotoError):
        photo = Photo(bytes(data[: max(1, int(length * len(data)))]), partial=True)
        assert photo.pixels(0.5).mode == "RGB"


def test_files_that_cannot_be_read_are_named_by_kind(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "circle.jpg").symlink_to(tmp_path / "circle.jpg")
    expected = {"absent.jpg": "missing", "pipe.jpg": "not_a_file", "folder.jpg": "not_a_file"}
    for name, failure in {**expected, "circle.jpg": "unreadable", "nul\x00.jpg": "unreadable"}.items():
        with pytest.raises(PhotoError) as caught:
            images.read_file(tmp_path / name)
        assert caught.value.failure == failure


@given(box=boxes(), width=st.integers(1, 900), height=st.integers(1, 900))
def test_any_box_can_be_framed_on_any_photograph(box: Box, width: int, height: int) -> None:
    small = Image.new("RGB", (width, height))
    assert crops.framed(small, box).size == (width, height)


def test_the_frame_is_drawn_around_the_box_and_leaves_the_animal_untouched() -> None:
    small = crops.thumbnail(Photo(encoded(Image.new("RGB", (640, 480), "white"), "PNG")))
    drawn = np.asarray(crops.framed(small, ARROW))
    assert (drawn[120:240, 160:320] == 255).all()
    assert (drawn[119, 160:320] == 0).all()
    assert (drawn[118, 160:320] == crops.AMBER).all()
    assert (np.asarray(small) == 255).all()  # the thumbnail itself serves the next box


def test_the_frame_of_a_box_at_the_edge_stays_visible() -> None:
    drawn = np.asarray(
        crops.framed(Image.new("RGB", (100, 80), "white"), Box(x1=0.0, y1=0.0, x2=0.5, y2=1.0))
    )
    for line in (drawn[40, :5], drawn[:5, 20], drawn[-5:, 20]):
        assert (line == crops.AMBER).all(axis=1).sum() == 3


def test_a_box_that_is_the_whole_photograph_gets_no_frame() -> None:
    assert (np.asarray(crops.framed(Image.new("RGB", (60, 40), "white"), WHOLE_FRAME)) == 255).all()


def test_a_thumbnail_keeps_the_proportions() -> None:
    assert crops.thumbnail(Photo(encoded(scene(2000, 1500)))).size == (640, 480)
    assert crops.thumbnail(Photo(encoded(scene(300, 500)))).size == (300, 500)


def test_a_jpeg_is_written_whole_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "ab" / "crop.jpg"
    for seed in (1, 2):
        crops.write_jpeg(scene(seed=seed), path, 90)
    assert [file.name for file in path.parent.iterdir()] == ["crop.jpg"]
    assert Image.open(path).size == (160, 120)


def test_a_disk_that_refuses_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "ab").write_text("a file where a folder should be")
    with pytest.raises(FileError, match="check the free disk space"):
        crops.write_jpeg(scene(), tmp_path / "ab" / "crop.jpg", 90)
