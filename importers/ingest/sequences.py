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

PREFIX = "burst-"  # of the ids of these sequences; the sequences of sources are not touched
UPDATE_ROWS = 2_000


def assign(database: Database, locations: Iterable[str], gap: float) -> int:
    """Find the sequences at these locations and write the changes; returns the number of sequences.

    Sequences follow from the photographs in the store alone, so the result does not depend on whether an
    import was interrupted, resumed or repeated. `gap` is in seconds.
    """
    count = 0
    for location in sorted(locations):
        with database.read() as conn:
            frames = images.frames_at(conn, location, PREFIX)
        sequences = list(split(frames, gap))
        count += len(sequences)
        assigned = {frame.id: frame for sequence in sequences for frame in numbered(location, sequence)}
        changed = [assigned[frame.id] for frame in frames if assigned[frame.id] != frame]
        for batch in chunks(changed, UPDATE_ROWS):
            with database.write() as conn:
                images.set_sequences(conn, batch)
    return count


def split(frames: Iterable[Frame], gap: float) -> Iterator[list[Frame]]:
    """Frames of one location by time, then name, split where more than `gap` seconds pass."""
    ordered = sorted(frames, key=lambda frame: (frame.datetime, natural(frame.file_name)))
    longest = dt.timedelta(seconds=gap)
    sequence: list[Frame] = []
    for frame in ordered:
        if sequence and frame.datetime - sequence[-1].datetime > longest:
            yield sequence
            sequence = []
        sequence.append(frame)
    if sequence:
        yield sequence


def numbered(location: str, sequence: Sequence[Frame]) -> list[Frame]:
    """The frames of one sequence with its id, their numbers from 0 and its length."""
    seq_id = PREFIX + digest(location, sequence[0].id)
    return [
        replace(frame, seq_id=seq_id, frame_num=number, seq_num_frames=len(sequence))
        for number, frame in enumerate(sequence)
    ]
