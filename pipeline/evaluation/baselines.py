"""Embedders that a trained one should beat: the descriptor, its network untrained, its published weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from pipeline.embedders import Embedder, load
from pipeline.embedders.embedder import embedder_id
from pipeline.embedders.network import Network, NetworkEmbedder, backbone, behead
from pipeline.embedders.preprocessing import Preprocessing
from pipeline.errors import EmbedderError
from pipeline.identity import json_digest

SEED = 0


def baselines(
    manifests: Iterable[Mapping[str, Any]], sample: Callable[[], Sequence[Image.Image]], *, data_dir: Path
) -> Iterator[Embedder | EmbedderError]:
    """The baselines of the checkpoints among the embedders with these `manifests`, each baseline once.

    They are the descriptor, the networks of the checkpoints untrained, and their backbones with published
    weights, or the error if these are not available. `sample` reads some of the crops that will be
    embedded. Nothing without a checkpoint.
    """
    from pipeline.embedders.torchvision import WeightsUnavailableError

    networks = {
        json_digest(_network(manifest)): manifest
        for manifest in manifests
        if manifest["kind"] == "checkpoint"
    }
    if not networks:
        return
    yield load("descriptor", data_dir=data_dir)
    crops = sample()
    for manifest in networks.values():
        yield Untrained(manifest, crops)
    for name in dict.fromkeys(str(manifest["backbone"]) for manifest in networks.values()):
        baseline: Embedder | EmbedderError
        try:
            baseline = load(f"torchvision:{name}", data_dir=data_dir)
        except WeightsUnavailableError as exc:
            baseline = EmbedderError(f"torchvision:{name} is left out: {exc.what}", remedy=exc.remedy)
        yield baseline
        del baseline  # a large network makes room for the next


class Untrained(NetworkEmbedder):
    """The network of a checkpoint with random weights. No spec loads it: it is used as a baseline only."""

    def __init__(self, manifest: Mapping[str, Any], sample: Sequence[Image.Image]) -> None:
        """`manifest` is the checkpoint's; `sample` are crops for the statistics of batch normalisation."""
        import torch

        from pipeline.embedders.network import Projected

        network = _network(manifest)
        preprocessing = Preprocessing.from_manifest(network["preprocessing"])
        self.dimension = network["dimension"]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(SEED)
            if network["projected"]:
                model: torch.nn.Module = Projected(network["backbone"], preprocessing.crop, self.dimension)
            else:
                model = backbone(network["backbone"], preprocessing.crop)
                behead(model)
        self.network = Network(model, preprocessing)
        if len(sample) > 1:
            # Without statistics in batch normalisation, activations vanish or explode from layer to layer,
            # and embeddings differ by rounding errors alone. Training starts from statistics, too.
            for module in model.modules():
                if isinstance(module, torch.nn.BatchNorm2d):
                    module.momentum = None  # use the statistics of the sample alone
                    module.train()
            self.embed(sample)
            model.eval()
        self.id = embedder_id(f"untrained {network['backbone']}", network)
        self.manifest: Mapping[str, Any] = {
            "kind": "untrained",
            "spec": f"untrained {network['backbone']}",
            **network,
        }


def _network(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The architecture of a checkpoint's network, which does not depend on its weights."""
    return {
        "backbone": manifest["backbone"],
        "dimension": manifest["dimension"],
        "projected": manifest["without"] is None,  # `without` names the removed layer of a bare backbone
        "preprocessing": manifest["preprocessing"],
    }
