"""torchvision's classification backbones with their published weights."""

from __future__ import annotations

import io
import socket
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

STALL_SECONDS = 10.0  # a download is abandoned after this long without a byte from the server


class WeightsUnavailableError(EmbedderError):
    """Published weights are not on this machine and cannot be downloaded."""


class TorchvisionEmbedder(NetworkEmbedder):
    """Pooled penultimate features of a backbone, with the preprocessing that belongs to its weights."""

    def __init__(self, name: str, *, weights: str = "DEFAULT", cache_dir: Path) -> None:
        """`weights` names a member of the backbone's weights enum, such as IMAGENET1K_V1.

        The file comes from torch's own cache or from `cache_dir`; otherwise it is downloaded into
        `cache_dir` and checked against the hash in its name. Raises WeightsUnavailableError if neither works,
        and EmbedderError for an unknown backbone or member.
        """
        member, state = published(name, weights, cache_dir)
        preprocessing = Preprocessing.from_preset(member.transforms())
        model = backbone(name, preprocessing.crop)
        model.load_state_dict(state)
        self.dimension, head = behead(model)
        self.network = Network(model, preprocessing)
        identity = {
            "backbone": name,
            "weights": _file_name(member.url),  # contains the hash of its content
            "without": head,
            "preprocessing": preprocessing.manifest(),
        }
        self.id = embedder_id(name, identity)
        self.manifest: Mapping[str, Any] = {
            "kind": "torchvision",
            "spec": f"torchvision:{name}?weights={member.name}",
            "dimension": self.dimension,
            **identity,
        }


def published(name: str, member: str, cache_dir: Path) -> tuple[Any, Mapping[str, torch.Tensor]]:
    """A member of the backbone's weights enum, and its state dict: see `TorchvisionEmbedder`."""
    weights = _weights(name, member)
    return weights, _state(weights.url, cache_dir)


def find_cached(name: str, cache_dir: Path) -> tuple[str, bool]:
    """The name of the file with the backbone's default weights, and whether it is on this machine."""
    file_name = _file_name(_weights(name, "DEFAULT").url)
    return file_name, any((folder / file_name).is_file() for folder in _folders(cache_dir))


def _weights(name: str, member: str) -> Any:
    from torchvision import models

    check_name(name)
    members = models.get_model_weights(name)
    try:
        return members[member]
    except KeyError as exc:
        raise EmbedderError(
            f"{name} has no weights {member!r}", remedy=f"one of: {', '.join(members.__members__)}"
        ) from exc


def _file_name(url: str) -> str:
    return Path(urlparse(url).path).name


def _folders(cache_dir: Path) -> tuple[Path, Path]:
    """Our own folder of weights, and torch's."""
    import torch

    return cache_dir / "weights", Path(torch.hub.get_dir()) / "checkpoints"


def _state(url: str, cache_dir: Path) -> Mapping[str, torch.Tensor]:
    import torch

    file_name = _file_name(url)
    own, shared = _folders(cache_dir)
    folder = shared if (shared / file_name).is_file() else own
    try:
        # torch.hub announces a download on stdout, which is for the output of the command; its progress bar
        # on stderr tells as much.
        with _stall_timeout(), redirect_stdout(io.StringIO()):
            return torch.hub.load_state_dict_from_url(
                url, model_dir=str(folder), map_location="cpu", check_hash=True, weights_only=True
            )
    except OSError as exc:  # unreachable, refused, stalled, or the disk is full
        raise WeightsUnavailableError(
            f"{url} cannot be downloaded: {exc}", remedy=f"put the file into {own}"
        ) from exc
    except Exception as exc:  # the hash is wrong, or half a file raises anything
        raise WeightsUnavailableError(
            f"{folder / file_name} is not the published file: {exc}", remedy="delete it and run again"
        ) from exc


@contextmanager
def _stall_timeout() -> Iterator[None]:
    """Give sockets opened meanwhile a timeout; torch.hub itself sets none and would wait for ever."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(STALL_SECONDS)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
