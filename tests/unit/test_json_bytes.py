"""JSON that is not quite: NaN and Infinity read as null, nesting has a limit, all else is left as it is."""

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
from importers.reading.json_bytes import MOST_DEPTH, TooDeep, WithNull, not_numbers
from pipeline.errors import SourceError
from tests.helpers.photographs import put

TEXTS = st.text(st.sampled_from('NaInfty-"\\[]{}, é'), max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


def without(value: Any) -> Any:
    """The value with None for numbers that JSON does not have."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, list):
        return [without(item) for item in value]
    return {key: without(item) for key, item in value.items()} if isinstance(value, dict) else value


def odd_ones(value: Any) -> int:
    if isinstance(value, dict):
        return sum(map(odd_ones, value.values()))
    if isinstance(value, list):
        return sum(map(odd_ones, value))
    return isinstance(value, float) and not math.isfinite(value)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(VALUES, st.integers(1, 30), st.booleans())
def test_a_file_reads_as_if_it_had_null_for_what_is_no_number(
    monkeypatch: pytest.MonkeyPatch, value: Any, block: int, ascii_alone: bool
) -> None:
    monkeypatch.setattr(json_bytes, "_BLOCK", block)  # words and escapes meet the ends of blocks
    data = json.dumps([value], ensure_ascii=ascii_alone).encode()
    assert not_numbers(io.BytesIO(data)) == odd_ones(value)
    file = WithNull(io.BytesIO(data))
    assert json.loads(b"".join(iter(lambda: file.read(block), b""))) == [without(value)]


def test_deep_nesting_is_an_error_that_says_where() -> None:
    fits = b"[" * MOST_DEPTH + b"]" * MOST_DEPTH
    assert not_numbers(io.BytesIO(fits)) == 0
    with pytest.raises(TooDeep, match=f"from byte {MOST_DEPTH + 5} on"):
        not_numbers(io.BytesIO(b'{"a": ' + b"[" * 100_000))


def test_brackets_in_names_nest_nothing() -> None:
    data = json.dumps([f'IMG[{n}{{"\\.jpg' for n in range(2 * MOST_DEPTH)]).encode()
    assert not_numbers(io.BytesIO(data)) == 0


@pytest.mark.parametrize("deep", ['{"images":' + "[" * 100_000, "[" * 100_000, '{"a":' * 50_000])
def test_every_reader_of_json_refuses_a_nested_file(tmp_path: Path, deep: str) -> None:
    path = put(tmp_path / "deep.json", deep.encode())
    for read in (
        lambda: list(json_file.items(path, "images")),
        lambda: json_file.section(path, "info"),
        lambda: json_file.not_numbers(path),
    ):
        with pytest.raises(SourceError, match=f"deep.json has lists and objects more than {MOST_DEPTH}"):
            read()


def test_numbers_that_are_none_are_counted_and_read_as_null_wherever_they_are(tmp_path: Path) -> None:
    path = put(
        tmp_path / "a.json", b'\xef\xbb\xbf{"NaN": "NaN", "list": [NaN, {"x": -Infinity}, Infinity, 1]}'
    )
    assert json_file.not_numbers(path) == 3
    assert list(json_file.items(path, "list")) == [None, {"x": None}, None, 1]
    assert json_file.section(path, "NaN") == "NaN"
    path.write_bytes(b'{"list": [1]}')
    assert json_file.not_numbers(path) == 0


def test_words_that_no_program_means_are_an_error_that_says_what_to_write(tmp_path: Path) -> None:
    path = put(tmp_path / "a.json", b'{"list": [1, undefined]}')
    with pytest.raises(SourceError, match=r"undefined") as caught:
        list(json_file.items(path, "list"))
    assert "write `null`" in str(caught.value)
