"""Ctrl-C and SIGTERM, so that neither is lost.

Python drops the exception of a signal that arrives in a callback of its own, such as that of a weak
reference while a module is imported: then the next look at what was asked raises it once more.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType

_asked = threading.Event()


def listen() -> None:
    """From now on either signal raises KeyboardInterrupt at once, and `check` does for ever after."""
    _asked.clear()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _ask)


def check() -> None:
    """Raise KeyboardInterrupt if the process was asked to end."""
    if _asked.is_set():
        raise KeyboardInterrupt


def _ask(_number: int, _frame: FrameType | None) -> None:
    _asked.set()
    raise KeyboardInterrupt
