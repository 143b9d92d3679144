"""A group of commands, each imported when it is named, so that `--help` is quick."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import click


@dataclass(frozen=True)
class LazyCommand:
    """A command that is not imported yet."""

    target: str  # module:attribute
    help: str  # one line for the list of commands
    section: str = "Commands"  # heading of that list


class LazyGroup(click.Group):
    """A group of lazy commands, listed by section in the order given."""

    def __init__(self, *args: Any, lazy_commands: Mapping[str, LazyCommand], **others: Any) -> None:
        super().__init__(*args, **others)
        self._lazy_commands = lazy_commands

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._lazy_commands)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._lazy_commands:
            return None
        module, attribute = self._lazy_commands[cmd_name].target.split(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As in click; the error for an unknown name suggests the nearest known ones."""
        name = args[0]
        near = difflib.get_close_matches(name, self._lazy_commands)
        if near and name not in self._lazy_commands and not ctx.resilient_parsing:
            ctx.fail(f"No such command {name!r}. Did you mean {' or '.join(map(repr, near))}?")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sections without importing a command."""
        width = max(map(len, self._lazy_commands))
        for section, entries in groupby(self._lazy_commands.items(), lambda entry: entry[1].section):
            with formatter.section(section):
                formatter.write_dl([(f"{name:{width}}", command.help) for name, command in entries])
