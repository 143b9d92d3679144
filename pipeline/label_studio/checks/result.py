"""The outcome of a check."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pipeline.errors import WildloopError

CREATE_AGAIN = "run `wildloop project create` again with the same title and species"


class State(StrEnum):
    """How serious the result of a check is."""

    OK = "ok"
    WARN = "warn"  # works, but slower or less than it could
    FAIL = "fail"


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """The outcome of one check."""

    check: str
    state: State
    what: str
    remedy: str | None = None
    project: int | None = None


def ok(check: str, what: str) -> CheckResult:
    return CheckResult(check=check, state=State.OK, what=what)


def warn(check: str, what: str, remedy: str) -> CheckResult:
    return CheckResult(check=check, state=State.WARN, what=what, remedy=remedy)


def fail(check: str, what: str, remedy: str) -> CheckResult:
    return CheckResult(check=check, state=State.FAIL, what=what, remedy=remedy)


def broken(check: str, exc: WildloopError) -> CheckResult:
    """The failure of a check that ended with this error."""
    return fail(check, exc.what, exc.remedy or "see the message")
