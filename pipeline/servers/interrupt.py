"""Ctrl-C and SIGTERM, so that neither is lost.

Python drops the exception of a signal handler that runs inside one of its own callbacks, such as that of a
weak reference during an import. The handler therefore sets a flag as well, and `check` raises again.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType

_requested = threading.Event()


def listen() -> None:
    """Make both signals raise KeyboardInterrupt, at once and in every later `check`."""
    _requested.clear()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _handle)


def check() -> None:
    """Raise KeyboardInterrupt if one of the signals has arrived."""
    if _requested.is_set():
        raise KeyboardInterrupt


def _handle(_number: int, _frame: FrameType | None) -> None:
    _requested.set()
    raise KeyboardInterrupt
