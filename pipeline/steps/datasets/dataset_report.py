"""What a classification dataset holds, and what was left out of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

SPLITS = ("train", "test")
EXAMPLES = 5  # broken crops named one by one


@dataclass(kw_only=True)
class DatasetReport:
    """Filled while a dataset is made."""

    path: str
    crops: Counter[tuple[str, str]] = field(default_factory=Counter)  # by class and split
    places: Counter[str] = field(default_factory=Counter)  # by split: locations, or what stands for them
    copied: int = 0  # the other crops were there
    several: int = 0  # photographs of several species, left out
    unsure: int = 0  # boxes that are not above the confidence
    missing: int = 0  # crops that are not cut, or whose files are gone
    broken: list[tuple[str, str]] = field(default_factory=list)  # crop files that are no pictures, and why
    strangers: int = 0  # other photographs in the folder

    def total(self, split: str) -> int:
        """How many crops a split has."""
        return sum(number for (_, one), number in self.crops.items() if one == split)

    @property
    def one_sided(self) -> list[tuple[str, str]]:
        """Classes that are in one split alone, with that split."""
        found = [(name, [one for one in SPLITS if self.crops[name, one]]) for name in self._classes]
        return [(name, splits[0]) for name, splits in found if len(splits) == 1]

    @property
    def _classes(self) -> list[str]:
        return sorted({name for name, _ in self.crops})
