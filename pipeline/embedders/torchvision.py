"""torchvision's classification backbones with their published weights."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

from pipeline.embedders.embedder import embedder_id
from pipeline.embedders.network import Network, NetworkEmbedder, backbone, behead, check_name
from pipeline.embedders.preprocessing import Preprocessing
from pipeline.errors import EmbedderError

if TYPE_CHECKING:
    import torch

STALL_SECONDS = 10.0  # without a byte from the server, after which a download is given up


class WeightsUnavailableError(EmbedderError):
    """Published weights are neither on this machine nor to be fetched."""


class TorchvisionEmbedder(NetworkEmbedder):
    """Pooled penultimate features of a backbone, with the preprocessing that its weights were made for."""

    def __init__(self, name: str, *, weights: str = "DEFAULT", cache_dir: Path) -> None:
        """`weights` names a member of the backbone's weights enum, such as IMAGENET1K_V1.

        They are taken from torch's own cache or from `cache_dir`, or fetched into `cache_dir` and checked
        against the hash in their name. WeightsUnavailableError where neither works.
        """
        chosen, state = published(name, weights, cache_dir)
        preprocessing = Preprocessing.from_preset(chosen.transforms())
        model = backbone(name, preprocessing.crop)
        model.load_state_dict(state)
        self.dimension, head = behead(model)
        self.network = Network(model, preprocessing)
        identity = {
            "backbone": name,
            "weights": Path(urlparse(chosen.url).path).name,  # holds the hash of its content
            "without": head,
            "preprocessing": preprocessing.manifest(),
        }
        self.id = embedder_id(name, identity)
        self.manifest: Mapping[str, Any] = {
            "kind": "torchvision",
            "spec": f"torchvision:{name}?weights={chosen.name}",
            "dimension": self.dimension,
            **identity,
        }


def published(name: str, member: str, cache_dir: Path) -> tuple[Any, Mapping[str, torch.Tensor]]:
    """A member of the backbone's weights enum, and its weights: see `TorchvisionEmbedder`."""
    chosen = _weights(name, member)
    return chosen, _state(chosen.url, cache_dir)


def _weights(name: str, member: str) -> Any:
    from torchvision import models

    check_name(name)
    known = models.get_model_weights(name)
    try:
        return known[member]
    except KeyError as exc:
        raise EmbedderError(
            f"{name} has no weights {member!r}", remedy=f"one of: {', '.join(known.__members__)}"
        ) from exc


def _state(url: str, cache_dir: Path) -> Mapping[str, torch.Tensor]:
    import torch

    file_name = Path(urlparse(url).path).name
    own, shared = cache_dir / "weights", Path(torch.hub.get_dir()) / "checkpoints"
    folder = shared if (shared / file_name).is_file() else own
    try:
        # torch.hub announces a download on stdout, which belongs to what the command prints.
        with _impatient(), redirect_stdout(sys.stderr):
            return torch.hub.load_state_dict_from_url(
                url, model_dir=str(folder), map_location="cpu", check_hash=True, weights_only=True
            )
    except OSError as exc:  # unreachable, refused, stalled, or the disk is full
        raise WeightsUnavailableError(
            f"{url} cannot be fetched: {exc}", remedy=f"put the file into {own}"
        ) from exc
    except Exception as exc:  # another hash than its name says; reading half a file may raise anything
        raise WeightsUnavailableError(
            f"{folder / file_name} is not what was published: {exc}", remedy="delete it and run again"
        ) from exc


@contextmanager
def _impatient() -> Iterator[None]:
    """Sockets opened meanwhile give up when nothing arrives; torch.hub itself would wait for ever."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(STALL_SECONDS)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
