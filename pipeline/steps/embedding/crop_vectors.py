"""Crop files -> vectors: threads read and prepare crops while others are embedded."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
from joblib import cpu_count
from numpy.typing import NDArray

from pipeline.embedders import Embedder
from pipeline.embedders.preprocessing import SPARE
from pipeline.errors import PhotoError
from pipeline.images import Photo, read_file
from pipeline.store.database import chunks

BATCH = 64  # crops embedded at once
DECODERS = 4  # threads at least: Pillow decodes without holding the interpreter lock
LOOKAHEAD = 2  # batches read while another is embedded

Key = TypeVar("Key")
Item = TypeVar("Item")
Result = TypeVar("Result")
Pixels = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class CropVectors(Generic[Key]):
    """A batch of crops."""

    keys: list[Key]  # of the N crops that could be read
    vectors: NDArray[np.float32]  # (N, D), a row for each key
    broken: list[tuple[Key, PhotoError]]

    @property
    def crops(self) -> int:
        """The number of crops in the batch, broken ones included."""
        return len(self.keys) + len(self.broken)


def crop_vectors(
    embedder: Embedder, crops: Iterable[tuple[Key, Path]], *, batch_size: int = BATCH
) -> Iterator[CropVectors[Key]]:
    """The vectors of crop files, in order, in batches of `batch_size` files.

    While the caller works on one batch, the next is embedded and those after it are read. `crops` is
    iterated in the caller's thread.
    """
    decoders = max(DECODERS, cpu_count())
    with (
        ThreadPoolExecutor(decoders, thread_name_prefix="decode") as decoding,
        ThreadPoolExecutor(1, thread_name_prefix="embed") as embedding,
    ):
        ahead = max(LOOKAHEAD * batch_size, decoders)
        read = _in_order(decoding, partial(_read, embedder), crops, ahead=ahead)
        yield from _in_order(embedding, partial(_embed, embedder), chunks(read, batch_size), ahead=1)


def prepared_crop(embedder: Embedder, path: Path) -> Pixels:
    """A crop file as the embedder prepares it, decoded no larger than needed. Raises PhotoError.

    All vectors in the store are of crops that were read in this way.
    """
    photo = Photo(read_file(path))
    scale = SPARE * embedder.side / min(photo.width, photo.height)
    return embedder.prepared(photo.pixels(min(1.0, scale)))


def _read(embedder: Embedder, crop: tuple[Key, Path]) -> tuple[Key, Pixels | PhotoError]:
    key, path = crop
    try:
        return key, prepared_crop(embedder, path)
    except PhotoError as exc:
        return key, exc


def _embed(embedder: Embedder, read: Sequence[tuple[Key, Pixels | PhotoError]]) -> CropVectors[Key]:
    good = [(key, result) for key, result in read if not isinstance(result, PhotoError)]
    return CropVectors(
        keys=[key for key, _ in good],
        vectors=embedder.embed_prepared([pixels for _, pixels in good]),
        broken=[(key, result) for key, result in read if isinstance(result, PhotoError)],
    )


def _in_order(
    threads: ThreadPoolExecutor, work: Callable[[Item], Result], items: Iterable[Item], *, ahead: int
) -> Iterator[Result]:
    """`work` of each item, in order; `threads` work on up to `ahead` items before their turn."""
    queue: deque[Future[Result]] = deque()
    try:
        for item in items:
            queue.append(threads.submit(work, item))
            if len(queue) > ahead:
                yield queue.popleft().result()
        while queue:
            yield queue.popleft().result()
    finally:
        for future in queue:  # the caller has stopped iterating
            future.cancel()
