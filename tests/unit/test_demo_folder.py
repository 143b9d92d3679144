"""What the demo's folder remembers between two starts."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.cli.demo import demo
from pipeline.demo.folder import STATE, DemoError, fresh_state, occupied, read_state, write_state
from pipeline.demo.run import DemoOptions, prepare_state


def test_a_state_comes_back_as_it_was_written_and_is_private(tmp_path: Path) -> None:
    state = replace(fresh_state(), photos="/p", label_studio_port=5)
    write_state(tmp_path, state)
    assert read_state(tmp_path) == state
    assert stat.S_IMODE((tmp_path / STATE).stat().st_mode) == 0o600


def test_two_fresh_demos_have_different_logins() -> None:
    one, other = fresh_state(), fresh_state()
    assert one.password != other.password
    assert one.token != other.token


def test_a_state_of_something_else_is_an_error(tmp_path: Path) -> None:
    (tmp_path / STATE).write_text("[]")
    with pytest.raises(DemoError, match="another --folder"):
        read_state(tmp_path)


def test_only_one_demo_at_a_time_runs_in_a_folder(tmp_path: Path) -> None:
    with occupied(tmp_path), pytest.raises(DemoError, match="a demo runs in"), occupied(tmp_path):
        pass
    with occupied(tmp_path):
        pass


def test_a_second_start_keeps_login_photographs_and_embedder(tmp_path: Path) -> None:
    first = prepare_state(tmp_path, DemoOptions(folder=tmp_path, photos=tmp_path, embedder="descriptor"))
    second = prepare_state(tmp_path, DemoOptions(folder=tmp_path))
    assert second == first
    assert second.label_studio_port != second.backend_port


def test_other_photographs_leave_behind_what_belonged_to_the_former(tmp_path: Path) -> None:
    options = DemoOptions(folder=tmp_path, photos=tmp_path, truth=tmp_path / "t.csv", embedder="descriptor")
    first = prepare_state(tmp_path, options)
    second = prepare_state(tmp_path, DemoOptions(folder=tmp_path, photos=tmp_path / "others"))
    assert (second.token, second.truth, second.embedder) == (first.token, None, None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--exit"], "--annotator truth"),
        (["--detector", "whole-frame"], "--photos"),
        (["--photos", ".", "--detector", "whole-frame", "--detections", __file__], "not both"),
    ],
)
def test_options_that_make_no_sense_together_are_refused(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(demo, arguments)
    assert result.exit_code == 2
    assert message in result.output
