"""Sequences: photographs of one location that follow each other within a time gap."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from importers.reading.paths import natural
from pipeline.identity import digest
from pipeline.store import images
from pipeline.store.database import Database, chunks
from pipeline.store.images import Frame

PREFIX = "burst-"  # of our own sequence ids; a source's own sequences are never touched
UPDATE_ROWS = 2_000


def assign(database: Database, locations: Iterable[str], gap: float) -> int:
    """Find the sequences of these locations and write what changed; returns how many there are.

    They follow from the photographs in the store alone, so it is all one whether an import ran
    through, was resumed or was run twice. `gap` is in seconds.
    """
    found = 0
    for location in sorted(locations):
        with database.read() as conn:
            frames = images.frames_at(conn, location, PREFIX)
        bursts = list(split(frames, gap))
        found += len(bursts)
        now = {frame.id: frame for burst in bursts for frame in numbered(location, burst)}
        changed = [now[frame.id] for frame in frames if now[frame.id] != frame]
        for batch in chunks(changed, UPDATE_ROWS):
            with database.write() as conn:
                images.set_sequences(conn, batch)
    return found


def split(frames: Iterable[Frame], gap: float) -> Iterator[list[Frame]]:
    """Frames of one location, in the order of time then name, cut where more than `gap` seconds pass."""
    ordered = sorted(frames, key=lambda frame: (frame.datetime, natural(frame.file_name)))
    longest = dt.timedelta(seconds=gap)
    burst: list[Frame] = []
    for frame in ordered:
        if burst and frame.datetime - burst[-1].datetime > longest:
            yield burst
            burst = []
        burst.append(frame)
    if burst:
        yield burst


def numbered(location: str, burst: Sequence[Frame]) -> list[Frame]:
    """The frames of one sequence with its id, their number from 0, and how many they are."""
    seq_id = PREFIX + digest(location, burst[0].id)
    return [
        replace(frame, seq_id=seq_id, frame_num=number, seq_num_frames=len(burst))
        for number, frame in enumerate(burst)
    ]
