"""JSON that is not quite: NaN reads as null, long integers as text, nesting has a limit, all else stays."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from importers.reading import json_bytes, json_file
from importers.reading.json_bytes import MOST_DEPTH, Mended, Odd, TooDeep, odd_values
from pipeline.errors import SourceError
from tests.helpers.photographs import put

TEXTS = st.text(st.sampled_from('NaInfty-"\\[]{}, é'), max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.integers(10**17, 10**20) | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


def mended(value: Any) -> Any:
    """The value with None for numbers that JSON does not have, and text for integers of over 18 digits."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if type(value) is int and abs(value) >= 10**18:
        return str(value)
    if isinstance(value, list):
        return [mended(item) for item in value]
    return {key: mended(item) for key, item in value.items()} if isinstance(value, dict) else value


def odd_ones(value: Any) -> Odd:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        found = [odd_ones(item) for item in value]
        return Odd(sum(odd.not_numbers for odd in found), sum(odd.too_long for odd in found))
    return Odd(
        isinstance(value, float) and not math.isfinite(value), type(value) is int and abs(value) >= 10**18
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(VALUES, st.integers(1, 30), st.booleans())
def test_a_file_reads_as_if_it_had_what_a_parser_takes(
    monkeypatch: pytest.MonkeyPatch, value: Any, block: int, ascii_alone: bool
) -> None:
    monkeypatch.setattr(json_bytes, "_BLOCK", block)  # words and escapes meet the ends of blocks
    data = json.dumps([value], ensure_ascii=ascii_alone).encode()
    assert odd_values(io.BytesIO(data)) == odd_ones(value)
    file = Mended(io.BytesIO(data))
    assert json.loads(b"".join(iter(lambda: file.read(block), b""))) == [mended(value)]


def test_deep_nesting_is_an_error_that_says_where() -> None:
    fits = b"[" * MOST_DEPTH + b"]" * MOST_DEPTH
    assert odd_values(io.BytesIO(fits)) == (0, 0)
    with pytest.raises(TooDeep, match=f"from byte {MOST_DEPTH + 5} on"):
        odd_values(io.BytesIO(b'{"a": ' + b"[" * 100_000))


def test_brackets_in_names_nest_nothing() -> None:
    data = json.dumps([f'IMG[{n}{{"\\.jpg' for n in range(2 * MOST_DEPTH)]).encode()
    assert odd_values(io.BytesIO(data)) == (0, 0)


@pytest.mark.parametrize("deep", ['{"images":' + "[" * 100_000, "[" * 100_000, '{"a":' * 50_000])
def test_every_reader_of_json_refuses_a_nested_file(tmp_path: Path, deep: str) -> None:
    path = put(tmp_path / "deep.json", deep.encode())
    for read in (
        lambda: list(json_file.items(path, "images")),
        lambda: json_file.section(path, "info"),
        lambda: json_file.odd_values(path),
    ):
        with pytest.raises(SourceError, match=f"deep.json has lists and objects more than {MOST_DEPTH}"):
            read()


def test_numbers_that_are_none_are_counted_and_read_as_null_wherever_they_are(tmp_path: Path) -> None:
    path = put(
        tmp_path / "a.json", b'\xef\xbb\xbf{"NaN": "NaN", "list": [NaN, {"x": -Infinity}, Infinity, 1]}'
    )
    assert json_file.odd_values(path) == (3, 0)
    assert list(json_file.items(path, "list")) == [None, {"x": None}, None, 1]
    assert json_file.section(path, "NaN") == "NaN"
    path.write_bytes(b'{"list": [1]}')
    assert json_file.odd_values(path) == (0, 0)


def test_words_that_no_program_means_are_an_error_that_says_what_to_write(tmp_path: Path) -> None:
    path = put(tmp_path / "a.json", b'{"list": [1, undefined]}')
    with pytest.raises(SourceError, match=r"undefined") as caught:
        list(json_file.items(path, "list"))
    assert "write `null`" in str(caught.value)


def test_integers_that_are_too_long_are_text_and_cost_no_file(tmp_path: Path) -> None:
    long = "123456789012345678901234567890"
    path = put(
        tmp_path / "a.json", f'{{"list": [{long}, -{long}, 0.{long}, "{long}", {{"id": 7}}]}}'.encode()
    )
    assert json_file.odd_values(path) == (0, 2)
    assert list(json_file.items(path, "list")) == [long, f"-{long}", float(f"0.{long}"), long, {"id": 7}]


def test_long_strings_of_letters_digits_or_escapes_are_read_in_steps_that_grow() -> None:
    class Counted(io.BytesIO):
        reads = 0

        def read(self, size: int | None = -1) -> bytes:
            self.reads += 1
            return super().read(size)

    for letter in ("N", "7", "\\"):
        file = Counted(json.dumps([letter * 3_000_000]).encode())
        assert odd_values(file) == (0, 0)
        assert file.reads < 1_000
