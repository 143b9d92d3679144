"""The training loop, which validates after each epoch and continues after a kill."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from pipeline.embedder_training import history, state
from pipeline.embedder_training.corpus import Corpus
from pipeline.embedder_training.forward import Forward
from pipeline.embedder_training.history import Epoch
from pipeline.embedder_training.objectives import Objective
from pipeline.embedder_training.reader import Augmented, Batch, batches
from pipeline.embedder_training.recipe import Recipe
from pipeline.embedder_training.sampler import Balanced
from pipeline.embedder_training.validation import validate
from pipeline.embedders.network import Projected
from pipeline.errors import EmbedderError

SAVE_SECONDS = 120.0  # between two saved states within an epoch
LOSS_RATE = 10.0  # learning rate of the loss's own parameters, as a multiple of the network's
# Of batch normalisation, at least. MobileNet's 0.01 and MnasNet's 0.0003 are for a hundred thousand steps:
# after a few hundred, validation would use statistics of the starting weights.
MOMENTUM = 0.1


@dataclass(frozen=True, kw_only=True)
class Trained:
    """The result of a training; the model then holds the weights of the best epoch."""

    epochs: list[Epoch]
    best: Epoch
    broken: dict[str, str]  # file name: why it cannot be read


class Trainer:
    """One training. The same corpus, recipe and starting weights give the same result on the same machine."""

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

        `folder` keeps state, log and curves; `inputs` is the digest that identifies this training; `workers`
        are processes that decode crops. Raises EmbedderError if the folder holds another training.
        """
        self._corpus, self._recipe, self._folder = corpus, recipe, folder
        self._inputs, self._workers = inputs, workers
        self._forward = Forward(model)
        self._model, device = model, self._forward.device
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d) and module.momentum is not None:
                module.momentum = max(module.momentum, MOMENTUM)
        torch.manual_seed(recipe.seed)  # for the parameters of the loss
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
        """Train to the end of the schedule, or until validation no longer improves.

        Raises EmbedderError if the loss is not finite or no validation crop can be read, and FileError if
        the disk refuses.
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
                bar.set_postfix(self._progress(), refresh=False)
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

    def _progress(self) -> dict[str, str]:
        """What the progress bar shows: the mean loss of the current epoch and the last recall@1."""
        shown = {"loss": f"{self._sums.loss / max(1, self._sums.steps):.3f}"}
        if self._epochs:
            shown["recall"] = f"{self._epochs[-1].recall_at_1:.3f}"
        return shown

    def _groups(self) -> list[dict[str, object]]:
        """Parameter groups: biases, normalisation scales and the parameters of the loss have no weight decay.

        The latter are long vectors at first, which need a higher learning rate to change direction.
        """
        parameters = list(self._model.parameters())
        decaying = [parameter for parameter in parameters if parameter.ndim >= 2]
        free = [parameter for parameter in parameters if parameter.ndim < 2]
        of_loss = list(self._objective.parameters())
        return [
            {"params": decaying, "weight_decay": self._recipe.weight_decay, "times": 1.0},
            {"params": free, "weight_decay": 0.0, "times": 1.0},
            *([{"params": of_loss, "weight_decay": 0.0, "times": LOSS_RATE}] if of_loss else []),
        ]

    def _batches(self) -> Iterator[Batch]:
        """The remaining batches; none once validation has stopped improving."""
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
        if 2 * ended < self._recipe.epochs:  # with few crops, the first epochs differ by chance
            return False
        stale = ended - history.best(self._epochs).epoch >= self._recipe.patience
        return stale or ended >= self._recipe.epochs

    def learn(self, batch: Batch) -> None:
        """One step. Random layers draw the same whether or not the training was resumed."""
        recipe = self._recipe
        torch.manual_seed(int(np.random.default_rng([recipe.seed, self._step]).integers(2**62)))
        steps = recipe.epochs * self._per_epoch
        rate = rate_at(self._step, steps, recipe)
        for group in self._optimizer.param_groups:
            group["lr"] = rate * group["times"]
        self._note_broken(batch.broken)
        if len(batch.rows) > 1:  # batch normalisation needs more than one crop
            self._model.train()
            vectors = self._forward.vectors(batch)
            species = self._species[batch.rows.to(self._species.device)]
            loss = self._objective(vectors, species, self._step / steps)
            self._optimizer.zero_grad(set_to_none=True)
            self._scaler.scale(loss).backward()
            self._scaler.unscale_(self._optimizer)
            gradient = torch.nn.utils.clip_grad_norm_(self._model.parameters(), recipe.clip)
            loss_value = float(loss.detach())
            # The float16 scaler skips steps whose gradient overflows.
            if not math.isfinite(loss_value) or not (self._scaler.is_enabled() or gradient.isfinite()):
                raise self._diverged()
            self._scaler.step(self._optimizer)
            self._scaler.update()
            self._sums.add(loss_value, float(gradient), len(batch.rows))
        self._step += 1

    def _diverged(self) -> EmbedderError:
        return EmbedderError(
            f"the training diverged at step {self._step}",
            remedy="train with a lower --rate and another --name",
        )

    def _note_broken(self, broken: Mapping[int, str]) -> None:
        self._sums.broken += len(broken)
        for row, why in broken.items():
            self._broken[self._corpus.crops[row].file_name] = why

    def _end_epoch(self) -> None:
        """Validate, record the metrics, and keep the weights if they are the best so far."""
        started = time.monotonic()
        validation = validate(self._forward, self._corpus, self._recipe, self._workers)
        if validation is None:
            raise self._diverged()
        self._note_broken(validation.broken)
        sums = self._sums
        self._epochs.append(
            Epoch(
                epoch=len(self._epochs) + 1,
                step=self._step,
                rate=float(self._optimizer.param_groups[0]["lr"]),
                loss=sums.loss / max(1, sums.steps),
                gradient=sums.gradient / max(1, sums.steps),
                recall_at_1=validation.recall_at_1,
                map_at_r=validation.map_at_r,
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
                "epochs": [asdict(epoch) for epoch in self._epochs],
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
        self._epochs = [Epoch(**epoch) for epoch in saved["epochs"]]
        self._sums = _Sums(**saved["sums"])
        self._broken = saved["broken"]


@dataclass(kw_only=True)
class _Sums:
    """Sums over the steps of the current epoch."""

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
        if math.isfinite(gradient):  # the float16 scaler skips such a step
            self.gradient += gradient


def rate_at(step: int, steps: int, recipe: Recipe) -> float:
    """The learning rate of a step: it rises from 0 during the warm-up, then falls to 0 along a cosine."""
    warm_up = max(1, round(recipe.warm_up * steps))
    if step < warm_up:
        return recipe.rate * (step + 1) / warm_up
    progress = (step - warm_up) / max(1, steps - warm_up)
    return recipe.rate * 0.5 * (1 + math.cos(math.pi * progress))
