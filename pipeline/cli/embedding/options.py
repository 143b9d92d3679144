"""Options of both commands that train an embedder."""

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
        help="Seed of every random draw.",
    ),
    click.option(
        "--workers",
        type=click.IntRange(0),
        help="Number of processes that decode images; 0 decodes in this one. [default: one for each core]",
    ),
    click.option("--licence", help="Licence note kept with the weights. [default: not stated]"),
)


def training_options(command: Command) -> Command:
    """`--seed`, `--workers` and `--licence`, in this order."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
