"""Heartbeats: what tells other processes that work goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SECONDS = 5.0


@contextmanager
def repeated(beat: Callable[[], None], name: str) -> Iterator[None]:
    """While the block runs, a thread of this name calls `beat` every few seconds."""
    ended = threading.Event()

    def repeat() -> None:
        while not ended.wait(SECONDS):
            beat()

    thread = threading.Thread(target=repeat, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
