"""The options of a project's screens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(frozen=True, kw_only=True)
class ScreenOptions:
    """What a project asks beside the species, and how. Stored as JSON with the project."""

    count: bool = False  # individuals in a crop, and in a sequence
    sex: bool = False
    age: bool = False
    behaviour: tuple[str, ...] = ()  # the words to choose from; none: not asked
    several: bool = False  # further species in one crop
    comment: bool = False
    boxes: bool = False  # the box can be moved, and further boxes drawn
    # Below this probability nothing is suggested. On fish, if people keep 10 to 20% of the wrong suggestions,
    # 1,000 key presses then bring a macro-F1 of 0.68 to 0.69 with 0.5 to 1.1% wrong labels; from 0.5 on 0.66
    # to 0.67 with 1.3 to 2.5%, and always suggested 0.60 to 0.66 with 2.5 to 6.1% (benchmarks/asking.py).
    suggest_from: float = 0.6
    stock: int = 2_000  # unanswered tasks that Label Studio holds
    boards: bool = True  # crops that are predicted alike are asked together
    opinions: float = 0.05  # the share of crops that a second annotator is asked about

    def to_json(self) -> dict[str, Any]:
        """The options as JSON."""
        return asdict(self) | {"behaviour": list(self.behaviour)}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any] | None) -> ScreenOptions:
        """The options that were stored; what is missing has its default, what is unknown is left out."""
        given = stored or {}
        known = {field.name: given[field.name] for field in fields(cls) if field.name in given}
        return cls(**known | {"behaviour": tuple(known.get("behaviour", ()))})
