"""What the controls of the labelling screen give, as in an annotation's `result`."""

from __future__ import annotations

from typing import Any

from pipeline.label_studio.answers import read_answer
from pipeline.records import Verdict

Json = dict[str, Any]


def chose(control: str, *words: Any) -> Json:
    """These words, of a control with choices."""
    return {"from_name": control, "to_name": "any", "type": "choices", "value": {"choices": list(words)}}


def typed(control: str, *texts: Any) -> Json:
    """These texts, of a control that takes text."""
    return {"from_name": control, "to_name": "any", "type": "textarea", "value": {"text": list(texts)}}


def drew(origin: str, **value: Any) -> Json:
    """A box in percent of the photograph, with the origin that Label Studio gives it."""
    return {"from_name": "box_0", "type": "rectanglelabels", "origin": origin, "value": value}


def answered(result: list[Json], was_cancelled: bool = False) -> tuple[Verdict, str | None]:
    """What an annotation or a prediction says of one crop: the verdict, and the category of a label."""
    pick = read_answer(result).single
    return (Verdict.SKIPPED, None) if was_cancelled else (pick.verdict, pick.category)
