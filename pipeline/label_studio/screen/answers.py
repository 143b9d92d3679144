"""The answers that a screen offers with keys: the likeliest species, then what is always in sight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from pipeline.label_studio.screen import keys
from pipeline.label_studio.screen.content import Asked
from pipeline.label_studio.screen.controls import ANOTHER_SPECIES
from pipeline.label_studio.screen.html import key_cap, option, percent
from pipeline.records import EMPTY, PERSON, UNSURE, VEHICLE
from pipeline.vocabulary import category_of, kind_of


def answers(asked: Asked, *, letters: bool) -> list[dict[str, Any]]:
    """The options of the answer, in the order of the screen.

    With `letters` the other species of a project of few follow the likeliest, each on its own letter, which
    it has among the likeliest, too.
    """
    fixed = _fixed(asked.words)
    own = {word: key for word, key in asked.words.items() if key in keys.LETTERS} if letters else {}
    likely = likeliest(asked, without=set(fixed))
    options = [
        _likely(asked, word, probability, ",".join(filter(None, (digit, own.get(word, "")))))
        for digit, (word, probability) in zip(keys.LIKELIEST, likely, strict=False)
    ]
    shown = {word for word, _ in likely}
    options += [
        option(word, key, name="other") for word, key in own.items() if word not in shown | set(fixed)
    ]
    return [*options, *always(asked), option(ANOTHER_SPECIES, keys.ANOTHER, name="always")]


def always(asked: Asked, words: Sequence[str] = ()) -> list[dict[str, Any]]:
    """The options for what every screen offers, or for those of it in `words`."""
    shown = {word: key for word, key in _fixed(asked.words).items() if not words or word in words}
    return [
        option(word, key, name="always" + " first" * (not place) + " suggested" * (word == asked.suggested))
        for place, (word, key) in enumerate(shown.items())
    ]


def likeliest(asked: Asked, *, without: set[str]) -> list[tuple[str, float | None]]:
    """Up to five species with their probabilities, the suggestion first, then those of the first crop."""
    listed: dict[str, float | None] = {}
    if asked.suggested is not None:
        listed[asked.suggested] = asked.probability
    for word, probability in asked.crops[0].likeliest if asked.crops else ():
        listed.setdefault(word, probability)
    return [(word, p) for word, p in listed.items() if word not in without][: len(keys.LIKELIEST)]


def fixed_words(words: Mapping[str, str]) -> list[str]:
    """What every screen offers, in the words of the project: person, vehicle, empty, unsure."""
    return list(_fixed(words))


def fixed_key(word: str) -> str | None:
    """The key that every screen has for this word, such as "human"; None for others."""
    return {PERSON: keys.PERSON, VEHICLE: keys.VEHICLE}.get(kind_of(category_of(word) or ""))


def _fixed(words: Mapping[str, str]) -> dict[str, str]:
    own = {key: word for word in reversed(list(words)) if (key := fixed_key(word)) is not None}
    return {
        own.get(keys.PERSON, PERSON): keys.PERSON,
        own.get(keys.VEHICLE, VEHICLE): keys.VEHICLE,
        EMPTY: keys.EMPTY,
        UNSURE: keys.UNSURE,
    }


def _likely(asked: Asked, word: str, probability: float | None, key: str) -> dict[str, Any]:
    bar = "" if probability is None else f'<i style="--p:{percent(probability)}">{percent(probability)}</i>'
    letter = key.partition(",")[2]
    html = f"{key_cap(key)}<span>{escape(word)}</span>{key_cap(letter)}{bar}"
    name = "likely suggested" if word == asked.suggested else "likely"
    return option(word, key, html=html, name=name)


def suggestion(asked: Asked) -> list[dict[str, Any]]:
    """The one option of the hidden control that holds the suggestion; none without a suggestion."""
    return [option(asked.suggested)] if asked.suggested is not None else []
