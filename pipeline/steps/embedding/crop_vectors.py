"""Crop files -> vectors: decoded and prepared by threads while others before them are embedded."""

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
DECODERS = 4  # threads at least; Pillow decodes without holding the interpreter
LOOKAHEAD = 2  # batches decoded while another is embedded

Key = TypeVar("Key")
Item = TypeVar("Item")
Result = TypeVar("Result")
Pixels = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class CropVectors(Generic[Key]):
    """A batch of crops."""

    keys: list[Key]  # of those that could be read
    vectors: NDArray[np.float32]  # (N, D), a row for each key
    broken: list[tuple[Key, PhotoError]]

    @property
    def crops(self) -> int:
        """How many crops it is of."""
        return len(self.keys) + len(self.broken)


def crop_vectors(
    embedder: Embedder, crops: Iterable[tuple[Key, Path]], *, batch_size: int = BATCH
) -> Iterator[CropVectors[Key]]:
    """The vectors of crop files, in order, in batches of `batch_size` files.

    While the caller deals with one batch, the next is embedded and those after it are read. `crops` is
    read in the caller's thread.
    """
    decoders = max(DECODERS, cpu_count())
    with (
        ThreadPoolExecutor(decoders, thread_name_prefix="decode") as decoding,
        ThreadPoolExecutor(1, thread_name_prefix="embed") as embedding,
    ):
        ahead = max(LOOKAHEAD * batch_size, decoders)
        read = _in_order(decoding, partial(_read, embedder), crops, ahead=ahead)
        yield from _in_order(embedding, partial(_embedded, embedder), chunks(read, batch_size), ahead=1)


def prepared_crop(embedder: Embedder, path: Path) -> Pixels:
    """What the embedder prepares of a crop file, decoded no larger than it takes. Raises PhotoError.

    Vectors in the store are all of crops that were read this way.
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


def _embedded(embedder: Embedder, read: Sequence[tuple[Key, Pixels | PhotoError]]) -> CropVectors[Key]:
    good = [(key, found) for key, found in read if not isinstance(found, PhotoError)]
    return CropVectors(
        keys=[key for key, _ in good],
        vectors=embedder.embed_prepared([pixels for _, pixels in good]),
        broken=[(key, found) for key, found in read if isinstance(found, PhotoError)],
    )


def _in_order(
    threads: ThreadPoolExecutor, work: Callable[[Item], Result], items: Iterable[Item], *, ahead: int
) -> Iterator[Result]:
    """`work` of each item, in order, done by `threads` up to `ahead` of who takes the results."""
    queue: deque[Future[Result]] = deque()
    try:
        for item in items:
            queue.append(threads.submit(work, item))
            if len(queue) > ahead:
                yield queue.popleft().result()
        while queue:
            yield queue.popleft().result()
    finally:
        for future in queue:  # nobody takes them any more
            future.cancel()
