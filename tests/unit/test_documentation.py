"""README, CONTRIBUTING and the pages of docs/: what they link to, run and name is there."""

from __future__ import annotations

import importlib.util
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import click
import numpy as np
import pytest
import yaml

from pipeline.cli import COMMANDS, wildloop
from pipeline.settings import Settings
from tests.conftest import unavailable
from tests.helpers import photographs
from tests.helpers.surveys import box, photograph, survey

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [*(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")), *DOCS.rglob("*.md")]
FOLDERS = r"(?:importers|backend|pipeline|tests|docs|benchmarks|\.ci)/"
SHELL = ("bash", "sh", "console", "shell")

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())


class Block(NamedTuple):
    """A fenced block of code."""

    language: str
    line: int  # of its first line of code, from 1
    text: str


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page."""
    found, opened = [], None
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1):
        fence = re.fullmatch(r"\s*```\s*(\w*).*", line)
        if fence is None:
            if opened is not None:
                opened[2].append(line)
        elif opened is None:
            opened = (fence[1], number + 1, list[str]())
        else:
            found.append(Block(opened[0], opened[1], "\n".join(opened[2])))
            opened = None
    assert opened is None, f"{page}: the block of line {opened[1]} does not end"
    return found


def prose(page: Path) -> str:
    """The text of a page without its fenced blocks."""
    return re.sub(r"^\s*```.*?^\s*```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as MkDocs and code hosts make them."""
    found = set()
    for heading in re.findall(r"^#+\s+(.*?)\s*$", prose(page), flags=re.MULTILINE):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
        found.add(re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", text).strip().lower()))
    return found


@every_page
def test_every_link_leads_somewhere(page: Path) -> None:
    text = re.sub(r"`[^`]*`", "", prose(page))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?://|mailto:", target):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.is_relative_to(ROOT), target
        assert linked.exists(), f"{target}: no such file"
        if page.is_relative_to(DOCS):
            assert linked.is_relative_to(DOCS), f"{target} is not part of the built documentation"
        if anchor:
            assert anchor in anchors(linked), f"{target}: no such heading"


def command_lines(text: str) -> Iterator[list[str]]:
    """The words of every `wildloop ...` in a block of shell code."""
    joined = re.sub(r"\\\n\s*", " ", text)
    for line in joined.splitlines():
        lexer = shlex.shlex(line.removeprefix("$ "), posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words: list[str] = []
        for word in [*lexer, ";"]:
            if re.fullmatch(r"[();<>|&]+", word):
                yield from _wildloop(words)
                words = []
            else:
                words.append(word)


def _wildloop(words: list[str]) -> Iterator[list[str]]:
    """What follows `wildloop`, or the service that runs it in Docker."""
    if "wildloop" in words and "pip" not in words:
        yield words[words.index("wildloop") + 1 :]
    elif words[:3] == ["docker", "compose", "run"] and "worker" in words:
        yield words[words.index("worker") + 1 :]


def parse(words: list[str]) -> None:
    """Raises click's UsageError for what the command line does not take."""
    command: click.Command = wildloop
    context = click.Context(wildloop)
    while isinstance(command, click.Group):
        if not words or words[0] in ("--help", "--version"):
            return
        below = command.get_command(context, words[0])
        if below is None:
            raise click.UsageError(f"{words[0]} is no command of {command.name}")
        command, words = below, words[1:]
        context = click.Context(command, parent=context)
    if "--help" not in words:
        command.make_context(command.name, list(words))


@every_page
def test_every_command_line_is_one_that_wildloop_takes(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(click.Path, "convert", _as_it_is)  # files need not exist
    for block in blocks(page):
        if block.language in SHELL:
            for words in command_lines(block.text):
                try:
                    parse(words)
                except click.UsageError as exc:
                    pytest.fail(
                        f"{page.name}, line {block.line}: wildloop {shlex.join(words)}: {exc.message}"
                    )


def _as_it_is(_self: click.Path, value: Any, _param: Any, _context: Any) -> Any:
    return value


def test_an_unknown_command_or_option_in_a_page_is_found() -> None:
    (words,) = command_lines("uv run wildloop export csvs labels.csv  # a comment\n")
    with pytest.raises(click.UsageError, match="csvs"):
        parse(words)
    first, second = command_lines("wildloop embed && \\\n  wildloop publish --all &")
    parse(first)
    with pytest.raises(click.UsageError, match="--all"):
        parse(second)


@every_page
def test_commands_and_options_named_in_the_text_are_there(page: Path) -> None:
    if page.name == "CHANGELOG.md":
        return  # it tells of former ones, too
    for code in re.findall(r"`(wildloop [^`]*)`", prose(page)):
        words = code.split()[1:]
        command: click.Command = wildloop
        context = click.Context(wildloop)
        while isinstance(command, click.Group) and words and re.fullmatch(r"[a-z][a-z-]*,?", words[0]):
            below = command.get_command(context, words[0].rstrip(","))
            assert below is not None, code
            command, words = below, words[1:]
            context = click.Context(command, parent=context)
        known = {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
        for word in words:
            if word.startswith("--"):
                assert word.rstrip(",") in known | {"--help"}, code


@every_page
def test_python_compiles(page: Path) -> None:
    for block in blocks(page):
        if block.language in ("python", "py"):
            compile("\n" * (block.line - 1) + block.text, str(page), "exec")


@every_page
def test_shell_blocks_are_shell(page: Path) -> None:
    for block in blocks(page):
        if block.language == "bash":
            subprocess.run(["bash", "-n"], input=block.text, text=True, check=True)


# --- the examples of CONTRIBUTING.md


@pytest.fixture(scope="module")
def examples() -> dict[str, Any]:
    """Everything that the examples define."""
    names: dict[str, Any] = {}
    for block in blocks(ROOT / "CONTRIBUTING.md"):
        if block.language == "python":
            text = "\n" * (block.line - 1) + block.text
            exec(compile(text, "CONTRIBUTING.md", "exec"), names)
    return names


def test_the_example_of_a_source_imports(examples: Mapping[str, Any], tmp_path: Path) -> None:
    from importers.detectors import load_detector
    from importers.ingest.source_image import ImportOptions
    from pipeline.workspace import open_workspace

    photographs.put(tmp_path / "photos/a/1.jpg", photographs.encoded(photographs.scene()))
    listing = tmp_path / "list.txt"
    listing.write_text("a/1.jpg\n")
    workspace = open_workspace(Settings.from_environ({"WILDLOOP_DATA_DIR": str(tmp_path / "data")}))
    detector, options = load_detector("whole-frame"), ImportOptions()
    report = examples["import_list"](workspace, listing, tmp_path / "photos", detector, options)
    assert not report.nothing_imported
    assert len(list((tmp_path / "data/crops").rglob("*.jpg"))) == 1


def test_the_example_of_an_embedder_embeds(examples: Mapping[str, Any]) -> None:
    embedder = examples["MeanColourEmbedder"]()
    vectors = embedder.embed([photographs.scene(seed=1), photographs.scene(seed=2)])
    assert vectors.shape == (2, embedder.dimension)
    assert vectors.dtype == np.float32
    assert embedder.embed([]).shape == (0, embedder.dimension)


def test_the_example_of_an_exporter_writes(examples: Mapping[str, Any], tmp_path: Path) -> None:
    report = examples["write"](tmp_path / "out.tsv", survey(photograph("a/1.jpg", box("red fox"))))
    assert (tmp_path / "out.tsv").read_text() == "a/1.jpg\tred fox\n"
    assert report.detections == 1


def test_the_example_of_a_strategy_chooses(examples: Mapping[str, Any]) -> None:
    from pipeline.acquisition import Round

    state = Round(
        embeddings=np.eye(5, dtype=np.float32),
        candidates=np.array([4, 0, 3]),
        labelled=np.array([1]),
        labels=np.array([0]),
        sequences=np.array([0, 1, 2]),
    )
    assert examples["oldest_first"](state, 2, np.random.default_rng(0)).tolist() == [0, 3]


@every_page
def test_folders_and_files_named_in_a_page_are_there(page: Path) -> None:
    names = re.findall(rf"`({FOLDERS}[\w./-]*)`", prose(page))
    names += re.findall(rf"\b(?:python|pytest) ({FOLDERS}[\w./-]+)", page.read_text(encoding="utf-8"))
    assert [name for name in names if not (ROOT / name).exists()] == []


# --- the reference


def test_the_reference_of_commands_is_up_to_date() -> None:
    page = _script("generate_reference").page()
    written = (DOCS / "reference/commands.md").read_text(encoding="utf-8")
    assert written == page, "run `python docs/generate_reference.py`"


def test_the_table_of_settings_is_up_to_date() -> None:
    written = (DOCS / "reference/settings.md").read_text(encoding="utf-8")
    assert written == _script("generate_reference").with_settings(written), (
        "run `python docs/generate_reference.py`"
    )


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_and_option_has_help_and_stands_in_the_reference(name: str) -> None:
    reference = (DOCS / "reference/commands.md").read_text(encoding="utf-8")
    for path, command in _commands(name, wildloop.get_command(click.Context(wildloop), name)):
        assert command.help, path
        assert re.search(rf"^#+ wildloop {path}$", reference, re.MULTILINE), path
        for option in command.params:
            if isinstance(option, click.Option):
                assert option.help or option.name == "port", f"{path} --{option.name}"


def _commands(path: str, command: click.Command | None) -> Iterator[tuple[str, click.Command]]:
    assert command is not None, path
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from _commands(f"{path} {name}", command.get_command(context, name))


def test_messages_quoted_as_symptoms_are_in_the_code() -> None:
    sources = [*(ROOT / "pipeline").rglob("*.py"), *(ROOT / "backend").rglob("*.py")]
    code = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    page = (DOCS / "operator.md").read_text(encoding="utf-8")
    symptoms = re.findall(
        r"^\| ([^|]*) \| [^|]* \| [^|]* \|$", page.partition("## Symptoms")[2], re.MULTILINE
    )
    quoted = [message for symptom in symptoms for message in re.findall(r"\*([^*]+)\*", symptom)]
    assert quoted
    assert [message for message in quoted if message not in code and message != "Submit"] == []


class Recorded(dict[str, str]):
    """An environment that remembers what it is asked for."""

    def __init__(self, values: Mapping[str, str]) -> None:
        super().__init__(values)
        self.asked: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.asked.add(name)
        return super().get(name, default)

    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        self.asked.add(str(name))
        return super().__contains__(name)


def test_the_reference_of_settings_has_every_variable_with_its_default() -> None:
    environ = Recorded({})
    defaults = vars(Settings.from_environ(environ))
    page = (DOCS / "reference/settings.md").read_text(encoding="utf-8")
    documented = dict(re.findall(r"^\| `([A-Z_]+)` \| (.*?) \|", page, re.MULTILINE))
    assert documented.keys() == environ.asked
    for variable, default in documented.items():
        changed = vars(Settings.from_environ({variable: "7"}))
        value = next(defaults[field] for field in defaults if changed[field] != defaults[field])
        if value is None:
            assert not default.startswith("`"), variable
        elif default.startswith("`"):
            written = default.strip("`")
            same = {str(value), Path(str(value)).name, f"{value:g}" if isinstance(value, float) else ""}
            assert written in same, f"{variable} is {value}"


def test_how_it_works_has_every_layer_of_the_contract() -> None:
    linter = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (layers,) = (each["layers"] for each in linter["contracts"] if each.get("containers") == ["pipeline"])
    page = (DOCS / "how-it-works.md").read_text(encoding="utf-8")
    for layer in " | ".join(layers).split(" | "):
        assert re.search(rf"^\|.*`{layer}`.*\|", page, re.MULTILINE), layer


# --- the site


def test_the_site_builds_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    if importlib.util.find_spec("mkdocs") is None:
        unavailable("mkdocs-material is not installed", "it is in the dependency group `docs`")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    pages = list((tmp_path / "site").rglob("*.html"))
    assert len(pages) > len(list(DOCS.rglob("*.md")))  # and one for what is not found
    for page in pages:
        loaded = re.findall(
            r"<(?:script|img|link|iframe)\b[^>]*\b(?:src|href)=\"?([^\"\s>]+)", page.read_text()
        )
        assert [address for address in loaded if re.match("(https?:)?//", address)] == [], page.name
    assert not list((tmp_path / "site").rglob("*.py"))


def test_pictures_are_small() -> None:
    for picture in (DOCS / "images").iterdir():
        assert picture.stat().st_size <= 200_000, picture.name


# --- files beside it


def test_the_readme_has_the_test_command_that_ci_runs() -> None:
    script = (ROOT / ".ci/run").read_text()
    awk = re.search(r"awk '(.*?)' README.md", script, re.DOTALL)
    assert awk is not None
    command = subprocess.run(
        ["awk", awk[1], "README.md"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert "pytest" in command
    assert len(command.strip().splitlines()) == 1


def test_the_citation_agrees_with_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["cff-version"] == "1.2.0"
    assert citation["message"]
    assert citation["version"] == project["version"]
    assert citation["license"] == project["license"]
    assert all(author["name"] for author in citation["authors"])


def test_make_has_the_targets_that_contributing_names() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text = (ROOT / "CONTRIBUTING.md").read_text() + (ROOT / "README.md").read_text()
    assert set(re.findall(r"(?:`|^)make ([a-z]+)", text, re.MULTILINE)) <= targets


def test_pre_commit_fetches_nothing() -> None:
    loaded = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    assert [repository["repo"] for repository in loaded["repos"]] == ["local"]
    assert all(hook["language"] == "system" for hook in loaded["repos"][0]["hooks"])


def _script(name: str) -> ModuleType:
    """A script of docs/, loaded as a module."""
    spec = importlib.util.spec_from_file_location(f"docs_{name}", DOCS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
