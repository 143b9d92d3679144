"""What both commands that train can be told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "--seed",
        type=click.IntRange(0, 2**32 - 1),
        default=0,
        show_default=True,
        help="Of all that is drawn.",
    ),
    click.option("--licence", help="A note that is kept with the weights. [default: that none is stated]"),
    click.option(
        "--workers",
        type=click.IntRange(0),
        help="Processes that decode; with 0 this one does. [default: one for each core]",
    ),
)


def training_options(command: Command) -> Command:
    """`--seed`, `--licence` and `--workers`, in this order."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
