"""How many keys a person presses on the screens.

A played user in a browser (Label Studio Community 1.23.2) who answered 100 crops, 10 of them with a wrong
suggestion whose species was among the likeliest five, pressed 110 keys for singles, 44 for sequences of
four, 35 for boards of 24 and 33 for boards of 48. A species outside the five took 7 to 10 keys.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

KEPT = 1
NAMED = 2
SEARCHED = 7
STRUCK = 1
LIKELIEST = 5  # species with a digit
LETTERS = 20  # a list of at most so many species has a letter for each, on the screen of one crop


# Screen, what is right, presses.
TABLE = (
    ("single", "the suggestion: submit", f"{KEPT}"),
    ("", f"one of the likeliest {LIKELIEST}, or of a list of at most {LETTERS}: its key, submit", f"{NAMED}"),
    ("", "another species: =, four letters, Enter, submit", f"{SEARCHED}"),
    ("sequence, board", "one species for all crops: as above", f"{KEPT}, {NAMED} or {SEARCHED}"),
    ("", "other species for some: the key of each such crop strikes it out", f"+ {STRUCK} each"),
    (
        "sequence",
        "the struck crops are of one species: it is named",
        f"+ {NAMED - KEPT} or {SEARCHED - KEPT}",
    ),
    ("", "they are of several species: they come back", "as singles"),
    ("board", "the struck crops come back", "as singles"),
)


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What a screen offers for a crop, or for all crops of a group."""

    likeliest: tuple[int, ...]  # species with a digit
    suggested: int | None = None  # the species that a submit alone confirms
    letters: bool = False  # whether each species has a letter


def to_name(species: int, offer: Offer) -> int:
    """Presses to name the species on a single, or for all crops of a group."""
    if species == offer.suggested:
        return KEPT
    return NAMED if offer.letters or species in offer.likeliest else SEARCHED


def to_answer(seen: Sequence[int], offer: Offer, alone: Sequence[Offer], *, named: bool) -> int:
    """Presses to label every crop of a group in which a person sees the species `seen`, one for each crop.

    `alone` are the offers for crops that come back as singles. With `named`, struck crops of one species
    are named at once.
    """
    most = commonest(seen, offer.suggested)
    struck = [place for place, species in enumerate(seen) if species != most]
    presses = to_name(most, offer) + STRUCK * len(struck)
    others = {seen[place] for place in struck}
    if named and len(others) == 1:
        return presses + to_name(others.pop(), offer) - KEPT
    return presses + sum(to_name(seen[place], alone[place]) for place in struck)


def commonest(seen: Sequence[int], suggested: int | None) -> int:
    """The species of most crops; of equals the suggested one."""
    counts = Counter(seen)
    return max(counts, key=lambda species: (counts[species], species == suggested, -species))
