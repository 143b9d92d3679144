"""What one annotation answers: its `result`, as the controls of the labelling screen give it.

An answer is read without knowing what its task shows: `pipeline.steps.labelling.votes` gives it to the
detections of the task. Results of controls that Wildloop does not know are ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from pipeline.errors import LabelStudioError, SourceError
from pipeline.label_studio.screen import controls
from pipeline.label_studio.species import check_name
from pipeline.records import EMPTY, LARGEST, Box, Verdict, category_name
from pipeline.vocabulary import category_of

MAX_TEXT = 2_000  # characters of a comment that are kept


@dataclass(frozen=True, kw_only=True)
class Pick:
    """The species that somebody picked for one or for several crops."""

    verdict: Verdict = Verdict.SKIPPED  # LABEL, UNSURE, or SKIPPED: nothing was picked
    category: str | None = None  # with Verdict.LABEL only
    proposed: str | None = None  # the category, where its name was typed
    suggested: str | None = None  # the category that was suggested


@dataclass(frozen=True, kw_only=True)
class DrawnBox:
    """A box that a person drew on a photograph, or moved."""

    box: Box
    moved: bool = False  # whether it was the detector's before


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One annotation's answer: `single` where its task shows one crop, `every` where it shows a group."""

    single: Pick = Pick()  # of the one crop
    every: Pick = Pick()  # of all crops of a group that are not struck
    struck: tuple[str, ...] = ()  # the ids of the detections that were struck out, as they came
    struck_are: Pick = Pick()  # of all that were struck; SKIPPED: each is asked about alone
    attributes: Mapping[str, Any] = field(default_factory=dict)  # of the one crop: count, sex, ...
    group_attributes: Mapping[str, Any] = field(default_factory=dict)  # of all crops of a group
    boxes: tuple[DrawnBox, ...] = ()  # not those that are as the detector drew them
    shows_no_animal: bool = False  # of a whole photograph


def read_answer(result: Sequence[Any]) -> Answer:
    """The answer in the `result` of an annotation or a prediction.

    Where a person picked nothing, the suggestion on the screen counts as picked. Picking several different
    species counts as unsure, as does a word for no species, such as "unknown"; "nothing" is `empty`. A
    malformed value is left out. Raises LabelStudioError if because of that nothing can be read, or if it is
    not known what was struck out: the others would be confirmed with it.
    """
    given = _Given(result)
    answer = Answer(
        single=_pick(
            given,
            (controls.SPECIES, controls.EARLIER_SPECIES),
            controls.ANOTHER,
            controls.NAME,
            controls.SUGGESTED,
        ),
        every=_pick(given, (controls.ALL,), controls.ALL_ANOTHER, controls.ALL_NAME, controls.ALL_SUGGESTED),
        struck=tuple(_distinct(given.choices(controls.STRUCK))),
        struck_are=_pick(given, (controls.STRUCK_SPECIES,), controls.STRUCK_ANOTHER, controls.STRUCK_NAME),
        attributes=_attributes(given),
        group_attributes=_group_attributes(given),
        boxes=tuple(_drawn_boxes(given)),
        shows_no_animal=controls.NO_ANIMAL in given.choices(controls.PHOTO_EMPTY),
    )
    if given.malformed and (controls.STRUCK in given.malformed or not _says_something(answer)):
        raise LabelStudioError(f"a result has an unknown format: {', '.join(sorted(given.malformed))}")
    return answer


class _Given:
    """What each control gave, and which gave something that cannot be read."""

    def __init__(self, result: Sequence[Any]) -> None:
        if not isinstance(result, list | tuple):
            raise LabelStudioError(f"a result must be a list, not {type(result).__name__}")
        self.malformed: set[str] = set()
        self._values: dict[str, list[Any]] = {}
        for item in result:
            name = item.get("from_name") if isinstance(item, Mapping) else None
            if isinstance(name, str):
                self._values.setdefault(name, []).append(item)
            else:
                self.malformed.add(f"{item!r:.100}")

    def has(self, *names: str) -> bool:
        """Whether one of these controls gave anything, readable or not."""
        return any(name in self._values for name in names)

    def items(self, name: str) -> list[Mapping[str, Any]]:
        """The results of the control."""
        return self._values.get(name, [])

    def choices(self, *names: str) -> list[str]:
        """The words that were chosen."""
        return [word for name in names for word in self._words(name, "choices")]

    def texts(self, name: str) -> list[str]:
        """The texts that were typed."""
        return self._words(name, "text")

    def _words(self, name: str, key: str) -> list[str]:
        found: list[str] = []
        for item in self.items(name):
            value = item.get("value")
            words = value.get(key) if isinstance(value, Mapping) else None
            words = [words] if isinstance(words, str) else words
            if not isinstance(words, list) or not all(map(_is_text, words)):
                self.malformed.add(name)
            if isinstance(words, list):
                found += [word for word in words if _is_text(word) and word.strip()]
        return found


def _is_text(word: Any) -> bool:
    """Whether every database stores it."""
    return (
        isinstance(word, str) and "\0" not in word and not any("\ud800" <= sign <= "\udfff" for sign in word)
    )


def _pick(
    given: _Given, species: Sequence[str], another: str, name: str, suggested: str | None = None
) -> Pick:
    """What was picked: a choice, or with "another species" one of the list, or a typed name."""
    shown = None if suggested is None else _one(map(category_of, given.choices(suggested)))
    chosen = given.choices(*species)
    typed = False
    if controls.ANOTHER_SPECIES in chosen:
        chosen = given.choices(another)
    if controls.NOT_IN_LIST in chosen:
        chosen = [text for text in map(category_name, given.texts(name)) if _can_be_species(text)]
        typed = True
    chosen = [word for word in chosen if word != controls.ONE_BY_ONE]
    if not chosen:
        if given.has(*species) or shown is None:
            return Pick(suggested=shown)
        return Pick(verdict=Verdict.LABEL, category=shown, suggested=shown)
    category = _one(map(category_of, chosen))
    if category is None:
        return Pick(verdict=Verdict.UNSURE, suggested=shown)
    proposed = category if typed and category != EMPTY else None
    return Pick(verdict=Verdict.LABEL, category=category, proposed=proposed, suggested=shown)


def _one(categories: Iterable[str | None]) -> str | None:
    """The one category that all of them are; None if there is none or several."""
    different = set(categories)
    return different.pop() if len(different) == 1 else None


def _can_be_species(text: str) -> bool:
    try:
        check_name(text, "")
    except SourceError:
        return False
    return True


def _attributes(given: _Given) -> dict[str, Any]:
    """The attributes of one crop; what was not given has no entry."""
    attributes = {
        "count": _number(given.choices(controls.COUNT)),
        "sex": _one(given.choices(controls.SEX)),
        "age": _one(given.choices(controls.AGE)),
        "behaviour": _distinct(given.choices(controls.BEHAVIOUR)),
        "also": [name for name in _distinct(map(category_of, given.choices(controls.ALSO))) if name != EMPTY],
        "comment": _text(given.texts(controls.COMMENT)),
        "expert": controls.EXPERT in given.choices(controls.FLAGS),
    }
    return {name: value for name, value in attributes.items() if value}


def _group_attributes(given: _Given) -> dict[str, Any]:
    """The attributes of the crops of a group; what was not given has no entry."""
    attributes = {
        "sequence_count": _number(given.choices(controls.GROUP_COUNT)),
        "comment": _text(given.texts(controls.GROUP_COMMENT)),
    }
    return {name: value for name, value in attributes.items() if value}


def _number(words: Sequence[str]) -> int | None:
    """The number at the beginning of the only word: "4 or more" is 4. None without one from 1."""
    found = re.match(r"\d{1,9}", words[0].strip(), re.ASCII) if len(words) == 1 else None
    return int(found[0]) or None if found else None


def _distinct(words: Iterable[str | None]) -> list[str]:
    return list(dict.fromkeys(word for word in words if word))


def _text(texts: Sequence[str]) -> str | None:
    return "\n".join(text.strip() for text in texts)[:MAX_TEXT] or None


def _drawn_boxes(given: _Given) -> Iterator[DrawnBox]:
    """The boxes, without those that a person left as the detector drew them."""
    for item in given.items(controls.BOX):
        if item.get("origin") == "prediction":
            continue
        box = _box(item.get("value"))
        if box is None:
            given.malformed.add(controls.BOX)
        else:
            yield DrawnBox(box=box, moved=item.get("origin") == "prediction-changed")


def _box(value: Any) -> Box | None:
    """The box of a region, in percent of the photograph; None if it is malformed or has no area."""
    if not isinstance(value, Mapping) or value.get("rotation"):
        return None
    sides = [side / 100 for side in map(value.get, ("x", "y", "width", "height")) if _is_number(side)]
    return Box.from_xywh(sides) if len(sides) == 4 else None


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST


def _says_something(answer: Answer) -> bool:
    picks = (answer.single, answer.every, answer.struck_are)
    picked = any(pick.verdict is not Verdict.SKIPPED for pick in picks)
    return picked or bool(answer.struck or answer.boxes or answer.shows_no_animal)
