"""What annotators said of a crop beside its species, and the columns that standards have for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

SEXES = ("female", "male")
AGES = ("adult", "subadult", "juvenile")
SEX, LIFE_STAGE, BEHAVIOR, COMMENTS = "sex", "lifeStage", "behavior", "observationComments"  # of Camtrap DP
SEPARATOR = "|"  # of several behaviours, as Camtrap DP has them
_BETWEEN = " | "  # several comments


@dataclass(frozen=True, kw_only=True)
class Attributes:
    """What annotators said of one crop; None and () where nobody did."""

    count: int | None = None  # individuals in the crop
    sequence_count: int | None = None  # individuals of this species in the sequence
    sex: str | None = None  # one of SEXES
    age: str | None = None  # one of AGES
    behaviour: tuple[str, ...] = ()
    also: tuple[str, ...] = ()  # categories of further species in the crop
    comment: str | None = None

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Attributes:
        """The attributes of an oracle row; a value that does not fit is left out."""
        return cls(
            count=_number(given.get("count")),
            sequence_count=_number(given.get("sequence_count")),
            sex=_one_of(given.get("sex"), SEXES),
            age=_one_of(given.get("age"), AGES),
            behaviour=_words(given.get("behaviour")),
            also=_words(given.get("also")),
            comment=given["comment"].strip() or None if isinstance(given.get("comment"), str) else None,
        )

    @property
    def columns(self) -> dict[str, str]:
        """What describes the animal, as Camtrap DP calls it and writes it."""
        said = {
            SEX: self.sex,
            LIFE_STAGE: self.age,
            BEHAVIOR: SEPARATOR.join(self.behaviour),
            COMMENTS: self.comment,
        }
        return {name: text for name, text in said.items() if text}


def in_common(said: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """The columns of several animals in one row: what is said of all of them alike, and every comment."""
    columns = list(said)
    common = dict(set.intersection(*(set(each.items()) for each in columns))) if columns else {}
    comments = dict.fromkeys(each[COMMENTS] for each in columns if COMMENTS in each)
    return common | ({COMMENTS: _BETWEEN.join(comments)} if comments else {})


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _one_of(value: Any, words: tuple[str, ...]) -> str | None:
    return value if value in words else None


def _words(value: Any) -> tuple[str, ...]:
    return tuple(word for word in value if isinstance(word, str) and word) if isinstance(value, list) else ()
