"""The label config: `label_config.xml` with the species and the options of the project.

The species are the choices of three equal lists, one for each question that asks for another species. Their
stable keys stand in an attribute that Label Studio ignores: it would act on a key of a list that nobody sees.
A config of earlier releases has one list, the control `species`, whose choices have their keys themselves.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.errors import LabelStudioError, SettingsError
from pipeline.label_studio.screen import keys
from pipeline.label_studio.screen.answers import fixed_key
from pipeline.label_studio.screen.controls import EARLIER_SPECIES, NOT_IN_LIST
from pipeline.label_studio.screen.facts import draw_facts, take_automatic_keys
from pipeline.label_studio.screen.options import ScreenOptions
from pipeline.records import EMPTY, UNSURE, category_name
from pipeline.vocabulary import category_of

NAME = "label_config.xml"
LISTS = ("another_{{idx}}", "all_another_{{idx}}", "struck_another_{{idx}}", "also_{{idx}}")
KEY = "key_on_screen"  # attribute of a choice: the letter of its species
SCIENTIFIC = " · "  # stands in a choice between its word and its scientific name, so that search finds both
FORMER = "former"  # class of the View with words that are not offered any more
HIDE_FORMER = f".{FORMER} .lsf-choice:not(:has(.ant-radio-wrapper-checked)) {{ display: none; }}"


def template() -> str:
    """The text of `label_config.xml`, next to this module in a wheel or at the root of a checkout."""
    here = Path(__file__)
    for path in (here.with_name(NAME), here.parents[2] / NAME):
        if path.is_file():
            return path.read_text(encoding="utf-8")
    raise SettingsError(f"{NAME} is missing from this installation", remedy="reinstall wildloop")


def render(
    species: Sequence[str],
    present: Mapping[str, str] | None = None,
    hints: Mapping[str, str] | None = None,
    former: Sequence[str] = (),
    options: ScreenOptions | None = None,
) -> str:
    """The label config with `species` in this order, which ask what `options` say.

    `present` are the present keys by name. A species keeps its letter; new species get the first free ones,
    unless the project has more species than there are `keys.LETTERS`. `hints`, by category, are the
    scientific names, which the search finds, too. `former` are kept as `keep_former` says.
    """
    root = ET.fromstring(template())
    draw_facts(root, options or ScreenOptions())
    take_automatic_keys(root)
    given = _letters(species, present or {})
    for choices in lists_of(root):
        for name in species:
            choices.append(new_choice(name, (hints or {}).get(category_name(name)), given.get(name, "")))
        if not choices.get("name", "").startswith("also"):
            choices.append(ET.Element("Choice", {"value": NOT_IN_LIST}))
    keep_former(root, former)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode")


def _letters(species: Sequence[str], present: Mapping[str, str]) -> dict[str, str]:
    """The key of each species on the screen of one crop."""
    fixed = {name: key for name in species if (key := fixed_key(name)) is not None}
    others = [name for name in species if name not in fixed]
    kept = {name: present[name] for name in others if present.get(name) in keys.LETTERS}
    few = len(others) <= len(keys.LETTERS)
    free = iter([key for key in keys.LETTERS if key not in kept.values()] if few else [])
    return fixed | {name: kept.get(name) or next(free, "") for name in others}


def new_choice(word: str, scientific: str | None = None, key: str = "") -> ET.Element:
    """A choice of one of the lists. Annotations store the word, whatever else it shows."""
    choice = ET.Element("Choice", {"value": word})
    if scientific is not None and scientific != word:
        choice.attrib |= {"value": f"{word}{SCIENTIFIC}{scientific}", "alias": word}
    if key:
        choice.set(KEY, key)
    return choice


def offered(config: str) -> dict[str, str]:
    """The choices of a label config in their order, with their keys on the screen ("" if there is none).

    Each has the word that annotations store: its alias, if it has one. Raises LabelStudioError if the config
    has no choice of species.
    """
    root = parsed(config)
    choices = choices_of(root)
    former = set(former_of(choices))
    listed = {
        word_of(choice): choice.get(KEY) or choice.get("hotkey", "")
        for choice in choices.iter("Choice")
        if choice not in former and word_of(choice) != NOT_IN_LIST
    }
    always = {} if is_earlier(root) else {EMPTY: keys.EMPTY, UNSURE: keys.UNSURE}
    return listed | always


def controls(config: str) -> set[str]:
    """The names of the controls of a label config, such as `another_{{idx}}`. Raises LabelStudioError."""
    return {name for each in parsed(config).iter() if (name := each.get("name")) is not None}


def former(config: str) -> list[str]:
    """The words that the config keeps for the annotations that use them, but does not offer any more."""
    return [word_of(choice) for choice in former_of(choices_of(parsed(config)))]


def parsed(config: str) -> ET.Element:
    """The label config as XML. Raises LabelStudioError if it is not."""
    try:
        return ET.fromstring(config)
    except ET.ParseError as exc:
        raise LabelStudioError(f"the label config of the project is not valid XML: {exc}") from exc


def word_of(choice: ET.Element) -> str:
    """What an annotation that chooses `choice` stores."""
    return choice.get("alias") or choice.get("value") or ""


def former_of(choices: ET.Element) -> list[ET.Element]:
    """The choices that are kept for the annotations that use them, and hidden from all others."""
    return [
        choice for view in choices.iterfind(f"View[@className='{FORMER}']") for choice in view.iter("Choice")
    ]


def keep_former(root: ET.Element, words: Sequence[str]) -> None:
    """Let annotations with these words show them, although nobody can choose them any more.

    An annotation whose word the config lacks would be shown without an answer.
    """
    if not words:
        return
    no_key = {"hotkey": keys.NO_KEY} if is_earlier(root) else {}
    for choices in lists_of(root):
        view = choices.find(f"View[@className='{FORMER}']")
        if view is None:
            view = ET.Element("View", {"className": FORMER})
            choices.insert(0, view)
        present = {word_of(choice) for choice in view}
        for word in dict.fromkeys(words):
            if word not in present:
                ET.SubElement(view, "Choice", {"value": word} | no_key)
    style = root.find(".//Style")
    if style is None:
        style = ET.Element("Style")
        root.insert(0, style)
    if HIDE_FORMER not in (style.text or ""):
        style.text = f"{style.text or ''}    {HIDE_FORMER}\n  "


def species_of(config: str) -> list[str]:
    """The species of a label config: its choices without "empty" and "unsure"."""
    return [word for word in offered(config) if category_of(word) not in (EMPTY, None)]


def same(config: str, other: str) -> bool:
    """Whether two label configs are equal, apart from their formatting."""
    try:
        return ET.canonicalize(config, strip_text=True) == ET.canonicalize(other, strip_text=True)
    except ET.ParseError:
        return False


def lists_of(root: ET.Element) -> list[ET.Element]:
    """The elements with the choices of species: of an earlier config one, otherwise as many as ask for one.

    Raises LabelStudioError if there is none.
    """
    names = (EARLIER_SPECIES,) if is_earlier(root) else LISTS
    found = [choices for choices in root.iter("Choices") if choices.get("name") in names]
    if not found:
        raise LabelStudioError(
            f"the label config has no <Choices name={LISTS[0]!r}>, and no <Choices name={EARLIER_SPECIES!r}>",
            remedy="this is not a project of Wildloop: choose another title, or restore its label config",
        )
    return found


def is_earlier(root: ET.Element) -> bool:
    """Whether the config is that of an earlier release, or one like it."""
    return root.find(f".//Choices[@name='{EARLIER_SPECIES}']") is not None


def refuse_earlier(project_id: int, config: str) -> None:
    """Raise LabelStudioError if the project has the screen of an earlier release: it can show no new task.

    Label Studio does not let a project with annotations change to other controls (1.23.2).
    """
    if is_earlier(parsed(config)):
        raise LabelStudioError(
            f"project {project_id} has the labelling screen of an earlier release, on which nothing new can "
            "be asked; its labels count as before",
            remedy=f"`wildloop project renew --project {project_id}` makes a project that goes on with them",
        )


def choices_of(root: ET.Element) -> ET.Element:
    """The first of `lists_of`. Raises LabelStudioError if there is none."""
    return lists_of(root)[0]
