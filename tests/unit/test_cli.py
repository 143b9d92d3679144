"""The command line itself: its help, its lists of commands, and its answers to slips."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from pipeline.cli import COMMANDS, wildloop
from pipeline.cli.lazy import LazyGroup


def groups() -> list[tuple[str, LazyGroup]]:
    """Every group of commands, with the words that lead to it."""
    found = [("", wildloop)]
    for name in COMMANDS:
        command = wildloop.get_command(click.Context(wildloop), name)
        if isinstance(command, LazyGroup):
            found.append((name, command))
    return found


def test_help_lists_the_commands_in_sections_in_the_order_of_a_project() -> None:
    text = CliRunner().invoke(wildloop, ["--help"]).output
    sections = ["Import:", "Label:", "Learn:", "Embedders:", "Results:", "Servers:"]
    assert [line for line in text.splitlines() if line in sections] == sections
    listed = [line.split()[0] for line in text.splitlines() if line.startswith("  ") and line.split()]
    assert [name for name in listed if name in COMMANDS] == list(COMMANDS)
    assert all(command.help in text for command in COMMANDS.values())  # on one line of 80 characters


def test_help_imports_no_command() -> None:
    code = (
        "import sys; from click.testing import CliRunner; from pipeline.cli import wildloop;"
        "result = CliRunner().invoke(wildloop, ['--help']); assert result.exit_code == 0, result;"
        "print(sorted(name for name in sys.modules if name.startswith('pipeline.') or name == 'tabulate'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['pipeline.cli', 'pipeline.cli.lazy', 'pipeline.errors']"


def test_every_listed_command_exists_under_its_name() -> None:
    for words, group in groups():
        for name in group.list_commands(click.Context(group)):
            command = group.get_command(click.Context(group), name)
            assert isinstance(command, click.Command), f"{words} {name}"
            assert command.name == name, f"{words} {name}"


@pytest.mark.parametrize(
    ("words", "suggestion"),
    [
        (["trian"], "No such command 'trian'. Did you mean 'train'?"),
        (["statsu"], "No such command 'statsu'. Did you mean 'status'?"),
        (["import", "foldr"], "No such command 'foldr'. Did you mean 'folder'?"),
        (["export", "megadetctor"], "No such command 'megadetctor'. Did you mean 'megadetector'?"),
        (["project", "craete"], "No such command 'craete'. Did you mean 'create'?"),
        (["nothing-like-it"], "No such command 'nothing-like-it'."),
    ],
)
def test_an_unknown_command_is_answered_with_the_nearest(words: list[str], suggestion: str) -> None:
    result = CliRunner().invoke(wildloop, words)
    assert result.exit_code == 2
    assert result.output.rstrip().endswith(f"Error: {suggestion}")


def test_every_command_that_reports_has_json() -> None:
    silent = {"serve", "worker", "demo", "label-studio"}  # they run until stopped
    for words, group in groups():
        for name in group.list_commands(click.Context(group)):
            command = group.get_command(click.Context(group), name)
            if isinstance(command, click.Group) or name in silent:
                continue
            assert command is not None
            assert "as_json" in {option.name for option in command.params}, f"{words} {name}"
