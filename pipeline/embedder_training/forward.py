"""The network on the fastest device of the machine, in mixed precision if that is faster."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch

from pipeline.embedder_training.reader import Batch
from pipeline.embedder_training.recipe import MEAN, STD
from pipeline.embedders.hardware import has_fast_bfloat16, limit_torch_threads, torch_device
from pipeline.embedders.network import Projected


class Forward:
    """Runs batches through a network: mixed precision, channels_last."""

    def __init__(self, model: Projected) -> None:
        """`model` is moved to the device."""
        limit_torch_threads()
        self.device = torch_device()
        self.is_gpu = self.device.type == "cuda"
        torch.backends.cudnn.deterministic = True  # otherwise a resumed training would differ
        self.model = model.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        bfloat16 = has_fast_bfloat16(self.device)
        self.narrow = torch.bfloat16 if bfloat16 else torch.float16 if self.is_gpu else None
        shape = (1, 3, 1, 1)
        self._mean = torch.tensor(MEAN, device=self.device).view(shape) * 255
        self._std = torch.tensor(STD, device=self.device).view(shape) * 255

    def vectors(self, batch: Batch) -> torch.Tensor:
        """float32 (N, dimension) on the device, of unit length."""
        pixels = batch.pixels.to(self.device, non_blocking=True)
        normal = (pixels.float() - self._mean) / self._std
        with self._precision():
            vectors: torch.Tensor = self.model(normal.contiguous(memory_format=torch.channels_last))
        return vectors

    def _precision(self) -> AbstractContextManager[object]:
        return nullcontext() if self.narrow is None else torch.autocast(self.device.type, self.narrow)
