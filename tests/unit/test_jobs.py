"""When to try again, and who is gone."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys

import pytest

from pipeline.jobs.enqueue import retry_at
from pipeline.records import RunKind, RunRecord, RunState
from pipeline.store.workers import is_gone, machine, own_id

NOON = dt.datetime(2024, 5, 1, 12, tzinfo=dt.UTC)


def ended(state: RunState, number: int = 1) -> RunRecord:
    return RunRecord(
        id=number,
        project_id=4,
        kind=RunKind.TRAIN,
        state=state,
        trigger="labels",
        requested_at=NOON,
        finished_at=NOON,
    )


@pytest.mark.parametrize(("failures", "minutes"), [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (20, 60)])
def test_a_project_whose_trainings_fail_rests_twice_as_long_each_time(failures: int, minutes: int) -> None:
    runs = [ended(RunState.FAILED)] * failures + [ended(RunState.DONE)]
    assert retry_at(runs) == NOON + dt.timedelta(minutes=minutes)


def test_a_project_whose_last_training_went_well_does_not_rest() -> None:
    assert retry_at([]) < NOON
    assert retry_at([ended(RunState.DONE), ended(RunState.FAILED)]) < NOON


def test_this_process_lives() -> None:
    assert not is_gone(own_id())


def test_a_process_that_ended_is_gone_even_before_its_parent_asked() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    name = f"{machine()}:{child.pid}"
    while os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT) is None:
        pass
    assert is_gone(name)
    child.wait()
    assert is_gone(name)


@pytest.mark.parametrize("name", ["", "elsewhere:1", "elsewhere/12345678/4026531836:99999999"])
def test_of_another_machine_nothing_is_known(name: str) -> None:
    assert not is_gone(name)
