"""The `result` of a prediction on the screen of earlier releases."""

from __future__ import annotations

from typing import Any

CONTROL = "species"  # name of the <Choices> in label_config.xml
OBJECT = "crop"  # name of the <Image> to which it refers


def choice_result(word: str, probability: float | None) -> list[dict[str, Any]]:
    """A result that pre-selects the choice with this word. Label Studio shows the probability."""
    result: dict[str, Any] = {
        "from_name": CONTROL,
        "to_name": OBJECT,
        "type": "choices",
        "value": {"choices": [word]},
    }
    if probability is not None:
        result["score"] = probability
    return [result]
