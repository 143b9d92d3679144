"""What the controls of the labelling screen give, as in an annotation's `result`."""

from __future__ import annotations

from typing import Any

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
