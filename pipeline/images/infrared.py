"""Whether a camera took a photograph by infrared light."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.images.exif import DECODE_ERRORS

SIZE = 64  # pixels of the reduced picture that is looked at
GREY = 6.0  # mean difference between the strongest and the weakest channel, 0 to 255: less is grey


def is_infrared(path: Path) -> bool | None:
    """Whether the picture is grey, as cameras take it by infrared light; None if it cannot be read."""
    try:
        with Image.open(path) as picture:
            picture.draft("RGB", (SIZE, SIZE))
            pixels = np.asarray(picture.convert("RGB").resize((SIZE, SIZE)), np.int16)
    except (OSError, Image.DecompressionBombError, *DECODE_ERRORS):
        return None
    return float((pixels.max(axis=2) - pixels.min(axis=2)).mean()) < GREY
