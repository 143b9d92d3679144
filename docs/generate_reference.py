"""Write `docs/reference/commands.md` and the table of `docs/reference/settings.md` from the code.

    python docs/generate_reference.py

Run it after you change a command, an option, a help text or a setting: `tests/unit/test_documentation.py`
fails until you do.
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import click

from pipeline.cli import COMMANDS, wildloop
from pipeline.settings import VARIABLES

REFERENCE = Path(__file__).parent / "reference"
COMMANDS_PAGE = REFERENCE / "commands.md"
SETTINGS_PAGE = REFERENCE / "settings.md"
INTRODUCTION = """\
# Commands

<!-- Written by docs/generate_reference.py from the commands' own help: change that, not this page. -->

`wildloop COMMAND --help` shows the same in your terminal. You can stop every command and run it again: it
continues where it was. An error is one line that names the remedy, and ends with status 1.
"""

Row = tuple[str, str]  # an option's names and its meaning


def page() -> str:
    """The whole page, as Markdown."""
    root = click.Context(wildloop, info_name="wildloop")
    return "\n".join([INTRODUCTION, *_overview(root), *_sections(root, level=2)])


def with_settings(page: str) -> str:
    """The page of settings with its table, the lines from "| variable |" to a blank line, written anew."""
    before, header, rest = page.partition("| variable | default | meaning |\n| --- | --- | --- |\n")
    after = rest[rest.index("\n\n") :]
    rows = (f"| `{each.name}` | {each.default} | {each.meaning} |" for each in VARIABLES.values())
    return before + header + "\n".join(rows) + after


def _below(ctx: click.Context) -> list[click.Context]:
    """A context for each command of a group, in the order of its help."""
    assert isinstance(ctx.command, click.Group)
    contexts = []
    for name in ctx.command.list_commands(ctx):
        command = ctx.command.get_command(ctx, name)
        assert command is not None
        contexts.append(click.Context(command, info_name=name, parent=ctx))
    return contexts


def _overview(root: click.Context) -> Iterator[str]:
    """The commands by the sections of `wildloop --help`, a line each."""
    for section, names in groupby(COMMANDS, lambda name: COMMANDS[name].section):
        yield f"**{section}**"
        yield ""
        yield "| command | what it does |"
        yield "| --- | --- |"
        for name in names:
            path = f"{root.command_path} {name}"
            yield f"| [`{path}`](#{_anchor(path)}) | {_cell(COMMANDS[name].help)} |"
        yield ""


def _sections(group: click.Context, level: int) -> Iterator[str]:
    """A section for each command of `group`, those of a group below it one level deeper."""
    commands = _below(group)
    rows = {ctx.command_path: _rows(ctx.command) for ctx in commands}
    counts = Counter(row for table in rows.values() for row in table)
    common = [row for row, number in counts.items() if number > 2 and number > len(commands) / 2]
    if level > 2 and common:
        yield "Options of all these commands, unless the table of a command says otherwise:"
        yield ""
        yield from _table(common)
    for ctx in commands:
        yield f"{'#' * level} {ctx.command_path}"
        yield ""
        for paragraph in _paragraphs(ctx.command):
            yield from (_escaped(paragraph), "")
        if isinstance(ctx.command, click.Group):
            yield from _sections(ctx, level + 1)
            continue
        yield from ("```text", f"{ctx.command_path} {' '.join(_arguments(ctx))}".rstrip(), "```", "")
        own = rows[ctx.command_path]
        if level > 2 and common and set(common) <= set(own):
            own = [row for row in own if row not in common]
            yield from (f"Also takes [the common options](#{_anchor(group.command_path)}).", "")
        yield from _table(own)


def _table(rows: list[Row]) -> Iterator[str]:
    if not rows:
        return
    yield "| option | meaning |"
    yield "| --- | --- |"
    for names, meaning in rows:
        yield f"| `{names}` | {_cell(meaning)} |"
    yield ""


def _rows(command: click.Command) -> list[Row]:
    return [_row(option) for option in command.params if isinstance(option, click.Option)]


def _row(option: click.Option) -> Row:
    names = " / ".join([", ".join(option.opts), *option.secondary_opts])
    metavar = "" if option.is_flag else f" {_metavar(option)}"
    meaning = [(option.help or "").strip()]
    if option.required:
        meaning.append("Required.")
    elif option.show_default and not option.is_flag:
        meaning.append(f"Default: {_value(option.default)}.")
    elif option.show_default:
        meaning.append(f"Default: {option.opts[0] if option.default else option.secondary_opts[0]}.")
    if isinstance(option.type, click.IntRange | click.FloatRange):
        meaning.append(_range(option.type))
    return f"{names}{metavar}", " ".join(filter(None, meaning))


def _value(default: object) -> str:
    if isinstance(default, tuple):
        return ", ".join(map(str, default))
    return f"{default:g}" if isinstance(default, float) else str(default)


def _metavar(option: click.Option) -> str:
    """What stands behind an option that takes a value."""
    if option.metavar:
        return option.metavar
    if isinstance(option.type, click.Choice):
        return f"{{{','.join(map(str, option.type.choices))}}}"  # no bars: they end the cell of a table
    kind = option.type.name
    return {"integer": "N", "float": "NUMBER"}.get(kind.removesuffix(" range"), kind.upper())


def _range(kind: click.IntRange | click.FloatRange) -> str:
    """What values a range takes, in words."""
    low, high = kind.min, kind.max
    if low is not None and high is not None:
        between = "between" if kind.min_open or kind.max_open else "from"
        return f"{between} {low:g} {'and' if between == 'between' else 'to'} {high:g}.".capitalize()
    if low is not None:
        return f"{'Above' if kind.min_open else 'At least'} {low:g}."
    return "" if high is None else f"{'Below' if kind.max_open else 'At most'} {high:g}."


def _arguments(ctx: click.Context) -> Iterator[str]:
    """The usage behind the command's name."""
    if any(isinstance(param, click.Option) for param in ctx.command.params):
        yield "[OPTIONS]"
    for param in ctx.command.params:
        if isinstance(param, click.Argument):
            name = param.metavar or (param.name or "").upper()
            yield name if param.required or name.startswith("[") else f"[{name}]"


def _paragraphs(command: click.Command) -> list[str]:
    """The paragraphs of the command's help, each on one line."""
    text = inspect.cleandoc(command.help or "").partition("\f")[0]
    return [" ".join(paragraph.split()) for paragraph in text.split("\n\n")]


def _anchor(path: str) -> str:
    return path.replace(" ", "-")


def _cell(text: str) -> str:
    return _escaped(text).replace("|", "\\|")


def _escaped(text: str) -> str:
    """The text without HTML and emphasis of its own; what stands in backticks stays as it is."""
    parts = text.split("`")
    parts[::2] = [part.replace("<", "&lt;").replace("*", "\\*").replace("_", "\\_") for part in parts[::2]]
    return "`".join(parts)


if __name__ == "__main__":
    COMMANDS_PAGE.write_text(page(), encoding="utf-8")
    SETTINGS_PAGE.write_text(with_settings(SETTINGS_PAGE.read_text(encoding="utf-8")), encoding="utf-8")
