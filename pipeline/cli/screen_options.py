"""The options of a project's screens on the command line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pipeline.errors import SettingsError
from pipeline.label_studio.screen import keys
from pipeline.label_studio.screen.options import ScreenOptions
from pipeline.label_studio.species import check_name

if TYPE_CHECKING:
    from collections.abc import Iterable

Command = TypeVar("Command", bound=Callable[..., Any])
ASKED = ("count", "sex", "age", "several", "comment", "boxes")  # options that are on or off
BEHAVIOUR = "behaviour"


def options_flags(command: Command) -> Command:
    """The flags of the options, which the command receives as `asked`: keyword arguments of `changed`."""
    flags = [
        click.option(
            "--with",
            "more",
            metavar="NAMES",
            help=f"Ask these, too: some of {', '.join(ASKED)}, separated by commas.",
        ),
        click.option(
            "--without", "less", metavar="NAMES", help=f"Do not ask these; {BEHAVIOUR} is one, too."
        ),
        click.option(
            "--behaviours",
            metavar="WORDS",
            help="Ask which of these an animal shows, such as feeding,resting: up to "
            f"{len(keys.BEHAVIOUR)} words, separated by commas.",
        ),
        click.option(
            "--suggest-from",
            type=click.FloatRange(0, 1),
            metavar="PROBABILITY",
            help=f"Below it nothing is suggested. [default: {ScreenOptions().suggest_from}]",
        ),
        click.option(
            "--stock",
            type=click.IntRange(1),
            metavar="TASKS",
            help=f"Unanswered tasks that Label Studio holds. [default: {ScreenOptions().stock}]",
        ),
        click.option(
            "--boards/--no-boards",
            default=None,
            help="Whether crops that are predicted alike are asked together. [default: boards]",
        ),
        click.option(
            "--opinions",
            type=click.FloatRange(0, 1),
            metavar="SHARE",
            help="The share of crops that a second annotator is asked about, such as 0.05. "
            f"[default: {ScreenOptions().opinions:g}]",
        ),
    ]
    for flag in reversed(flags):
        command = flag(command)
    return command


def changed(
    present: ScreenOptions,
    *,
    more: str | None = None,
    less: str | None = None,
    behaviours: str | None = None,
    suggest_from: float | None = None,
    stock: int | None = None,
    boards: bool | None = None,
    opinions: float | None = None,
) -> ScreenOptions:
    """The options with what the command line says. Raises SettingsError for a value that cannot be."""
    values: dict[str, Any] = {}
    for name in _names(more, "--with", ASKED):
        values[name] = True
    for name in _names(less, "--without", (*ASKED, BEHAVIOUR)):
        if values.get(name) or (name == BEHAVIOUR and behaviours):
            raise SettingsError(f"{name} cannot be asked and not asked", remedy="name it once")
        values[name] = () if name == BEHAVIOUR else False
    if behaviours is not None:
        values[BEHAVIOUR] = _behaviours(behaviours)
    numbers = {"suggest_from": suggest_from, "stock": stock, "boards": boards, "opinions": opinions}
    values |= {name: value for name, value in numbers.items() if value is not None}
    return replace(present, **values)


def _names(text: str | None, flag: str, known: Iterable[str]) -> list[str]:
    names = [name.strip().lower() for name in (text or "").split(",") if name.strip()]
    unknown = [name for name in names if name not in known]
    if unknown:
        also = "; behaviour comes with --behaviours" if BEHAVIOUR in unknown else ""
        raise SettingsError(
            f"{flag} {text}: there is no option {unknown[0]!r}",
            remedy=f"choose among {', '.join(known)}{also}",
        )
    return names


def _behaviours(text: str) -> tuple[str, ...]:
    words = tuple(dict.fromkeys(" ".join(word.split()) for word in text.split(",") if word.strip()))
    if not words:
        raise SettingsError("--behaviours names none", remedy="`--without behaviour` asks for none")
    if len(words) > len(keys.BEHAVIOUR):
        raise SettingsError(
            f"--behaviours names {len(words)} words, and there are keys for {len(keys.BEHAVIOUR)}",
            remedy="leave some out",
        )
    for word in words:
        check_name(word, "--behaviours")
    return words
