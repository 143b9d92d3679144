"""The loop: batches through the network, validated at each epoch, and taken up where it was killed."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from pipeline.embedders.network import Projected
from pipeline.errors import EmbedderError
from pipeline.training import history, state
from pipeline.training.corpus import Corpus
from pipeline.training.forward import Forward
from pipeline.training.history import Epoch
from pipeline.training.objectives import Objective
from pipeline.training.reader import Augmented, Batch, batches
from pipeline.training.recipe import Recipe
from pipeline.training.sampler import Balanced
from pipeline.training.validation import validate

SAVE_SECONDS = 120.0  # between two states, within an epoch
OWN_RATE = 10.0  # of the vectors that a loss learns, as a multiple of the network's
# Of batch normalisations, at least. MobileNet's 0.01 and MnasNet's 0.0003 are for a hundred thousand steps:
# after a few hundred, validation would judge the weights by statistics of those that they began with.
MOMENTUM = 0.1


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What a training came to; the model holds the weights of its best epoch."""

    epochs: list[Epoch]
    best: Epoch
    broken: dict[str, str]  # file name: why it could not be read


class Trainer:
    """One training; the same corpus, recipe and starting weights go the same way on the same machine."""

    def __init__(
        self,
        corpus: Corpus,
        recipe: Recipe,
        model: Projected,
        folder: Path,
        *,
        inputs: str,
        workers: int,
    ) -> None:
        """`model` holds the starting weights and is trained in place.

        `folder` keeps state, log and curves; `inputs` is the digest that tells this training from others.
        Raises EmbedderError where the folder holds another training.
        """
        self._corpus, self._recipe, self._folder = corpus, recipe, folder
        self._inputs, self._workers = inputs, workers
        self._forward = Forward(model)
        self._model, device = model, self._forward.device
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d) and module.momentum is not None:
                module.momentum = max(module.momentum, MOMENTUM)
        torch.manual_seed(recipe.seed)  # of the vectors that the loss learns
        self._objective = Objective(recipe, len(corpus.names)).to(device)
        self._optimizer = torch.optim.AdamW(self._groups(), lr=recipe.rate)
        float16 = self._forward.narrow is torch.float16
        self._scaler = torch.amp.GradScaler(device.type, enabled=float16)
        self._species = torch.from_numpy(corpus.species).to(device)
        self._per_epoch = recipe.steps(len(corpus.learned))
        self._step = 0
        self._epochs: list[Epoch] = []
        self._sums = _Sums()
        self._broken: dict[str, str] = {}
        self._best: dict[str, torch.Tensor] = {}
        self._resume()

    def run(self, *, progress: bool = False) -> Trained:
        """Train to the end of the schedule, or until the validation figure no longer rises.

        EmbedderError where the loss stops being a number, or no validation crop can be read.
        """
        with tqdm(
            total=self._recipe.epochs * self._per_epoch,
            initial=self._step,
            desc=f"{self._recipe.backbone}, {self._recipe.loss}",
            unit="step",
            disable=None if progress else True,
        ) as bar:
            saved = began = time.monotonic()
            for batch in self._batches():
                self.learn(batch)
                bar.set_postfix(self._told(), refresh=False)
                bar.update()
                self._sums.seconds += time.monotonic() - began
                began = time.monotonic()
                if self._step % self._per_epoch == 0:
                    self._end_epoch()
                elif time.monotonic() - saved < SAVE_SECONDS:
                    continue
                self._save()
                saved = began = time.monotonic()
        self._model.load_state_dict(self._best)
        return Trained(epochs=self._epochs, best=history.best(self._epochs), broken=self._broken)

    def _told(self) -> dict[str, str]:
        """Beside the bar: the mean loss of the epoch that lasts, and the last validation figure."""
        told = {"loss": f"{self._sums.loss / max(1, self._sums.steps):.3f}"}
        if self._epochs:
            told["recall"] = f"{self._epochs[-1].recall_at_1:.3f}"
        return told

    def _groups(self) -> list[dict[str, object]]:
        """Weights decay; biases, the scales of normalisations and the loss's own vectors do not.

        These vectors are long at first, so they turn only at a rate of their own.
        """
        parameters = list(self._model.parameters())
        decaying = [one for one in parameters if one.ndim >= 2]
        free = [one for one in parameters if one.ndim < 2]
        own = list(self._objective.parameters())
        return [
            {"params": decaying, "weight_decay": self._recipe.weight_decay, "times": 1.0},
            {"params": free, "weight_decay": 0.0, "times": 1.0},
            *([{"params": own, "weight_decay": 0.0, "times": OWN_RATE}] if own else []),
        ]

    def _batches(self) -> Iterator[Batch]:
        """Those that are still to be learned from; none once the figure has stopped rising."""
        recipe, corpus = self._recipe, self._corpus
        if self._is_over():
            return
        sampler = Balanced.of(corpus, recipe, first=self._step, last=recipe.epochs * self._per_epoch)
        read = batches(
            Augmented(corpus, recipe), self._workers, pinned=self._forward.is_gpu, batch_sampler=sampler
        )
        for batch in read:
            yield batch
            if self._step % self._per_epoch == 0 and self._is_over():
                return

    def _is_over(self) -> bool:
        ended = len(self._epochs)
        if 2 * ended < self._recipe.epochs:  # of few crops the first epochs are few steps, and luck decides
            return False
        stale = ended - history.best(self._epochs).epoch >= self._recipe.patience
        return stale or ended >= self._recipe.epochs

    def learn(self, batch: Batch) -> None:
        """One step. Layers that draw lots draw the same whether or not the training was resumed."""
        recipe = self._recipe
        torch.manual_seed(int(np.random.default_rng([recipe.seed, self._step]).integers(2**62)))
        steps = recipe.epochs * self._per_epoch
        rate = rate_at(self._step, steps, recipe)
        for group in self._optimizer.param_groups:
            group["lr"] = rate * group["times"]
        self._note_broken(batch.broken)
        if len(batch.rows) > 1:  # a single crop has no variance to normalise by
            self._model.train()
            vectors = self._forward.vectors(batch)
            species = self._species[batch.rows.to(self._species.device)]
            loss = self._objective(vectors, species, self._step / steps)
            self._optimizer.zero_grad(set_to_none=True)
            self._scaler.scale(loss).backward()
            self._scaler.unscale_(self._optimizer)
            gradient = torch.nn.utils.clip_grad_norm_(self._model.parameters(), recipe.clip)
            told = float(loss.detach())
            # The scaler of float16 passes over steps of its own whose gradient overflows.
            if not math.isfinite(told) or not (self._scaler.is_enabled() or gradient.isfinite()):
                raise self._diverged()
            self._scaler.step(self._optimizer)
            self._scaler.update()
            self._sums.add(told, float(gradient), len(batch.rows))
        self._step += 1

    def _diverged(self) -> EmbedderError:
        return EmbedderError(
            f"the training diverged at step {self._step}",
            remedy="train with a lower --rate, under another --name",
        )

    def _note_broken(self, broken: Mapping[int, str]) -> None:
        self._sums.broken += len(broken)
        for row, why in broken.items():
            self._broken[self._corpus.crops[row].file_name] = why

    def _end_epoch(self) -> None:
        """Validate, note the figures, and keep the weights where they are the best so far."""
        started = time.monotonic()
        found = validate(self._forward, self._corpus, self._recipe, self._workers)
        if found is None:
            raise self._diverged()
        self._note_broken(found.broken)
        sums = self._sums
        self._epochs.append(
            Epoch(
                epoch=len(self._epochs) + 1,
                step=self._step,
                rate=float(self._optimizer.param_groups[0]["lr"]),
                loss=sums.loss / max(1, sums.steps),
                gradient=sums.gradient / max(1, sums.steps),
                recall_at_1=found.recall_at_1,
                map_at_r=found.map_at_r,
                crops_per_second=sums.crops / max(sums.seconds, 1e-9),
                seconds=sums.seconds + time.monotonic() - started,
                broken=sums.broken,
            )
        )
        if history.best(self._epochs) is self._epochs[-1]:
            self._best = {
                name: value.detach().cpu().clone() for name, value in self._model.state_dict().items()
            }
        self._sums = _Sums()
        history.write(self._folder, self._epochs)

    def _save(self) -> None:
        state.write(
            self._folder,
            {
                "inputs": self._inputs,
                "step": self._step,
                "model": self._model.state_dict(),
                "objective": self._objective.state_dict(),
                "optimizer": self._optimizer.state_dict(),
                "scaler": self._scaler.state_dict(),
                "best": self._best,
                "epochs": [asdict(one) for one in self._epochs],
                "sums": asdict(self._sums),
                "broken": self._broken,
            },
        )

    def _resume(self) -> None:
        saved = state.read(self._folder, self._inputs)
        if saved is None:
            return
        self._step = saved["step"]
        self._model.load_state_dict(saved["model"])
        self._objective.load_state_dict(saved["objective"])
        self._optimizer.load_state_dict(saved["optimizer"])
        self._scaler.load_state_dict(saved["scaler"])
        self._best = saved["best"]
        self._epochs = [Epoch(**one) for one in saved["epochs"]]
        self._sums = _Sums(**saved["sums"])
        self._broken = saved["broken"]


@dataclass(kw_only=True)
class _Sums:
    """Over the steps of an epoch that is not over."""

    steps: int = 0
    crops: int = 0
    loss: float = 0.0
    gradient: float = 0.0
    seconds: float = 0.0
    broken: int = 0

    def add(self, loss: float, gradient: float, crops: int) -> None:
        self.steps += 1
        self.crops += crops
        self.loss += loss
        if math.isfinite(gradient):  # the scaler of float16 passes over such a step
            self.gradient += gradient


def rate_at(step: int, steps: int, recipe: Recipe) -> float:
    """The learning rate of a step: rising from 0 over the warm-up, then along a cosine towards 0."""
    rising = max(1, round(recipe.warm_up * steps))
    if step < rising:
        return recipe.rate * (step + 1) / rising
    over = (step - rising) / max(1, steps - rising)
    return recipe.rate * 0.5 * (1 + math.cos(math.pi * over))
