"""What embedders that learned something are held against: they should at least beat these."""

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
    """For the checkpoints among the embedders of these manifests, each once: the descriptor, their networks
    untrained, and their backbones with published weights, or why these are not to be had.

    `sample` reads some of the crops that will be embedded. Without a checkpoint there is nothing to compare.
    """
    from pipeline.embedders.torchvision import WeightsUnavailableError

    networks = {json_digest(_network(one)): one for one in manifests if one["kind"] == "checkpoint"}
    if not networks:
        return
    yield load("descriptor", data_dir=data_dir)
    crops = sample()
    for manifest in networks.values():
        yield Untrained(manifest, crops)
    for name in dict.fromkeys(str(one["backbone"]) for one in networks.values()):
        found: Embedder | EmbedderError
        try:
            found = load(f"torchvision:{name}", data_dir=data_dir)
        except WeightsUnavailableError as exc:
            found = EmbedderError(f"torchvision:{name} is left out: {exc.what}", remedy=exc.remedy)
        yield found
        del found  # a large network makes room for the next


class Untrained(NetworkEmbedder):
    """The network of a checkpoint before it learned anything. No spec makes it: it is of no other use."""

    def __init__(self, manifest: Mapping[str, Any], sample: Sequence[Image.Image]) -> None:
        """`manifest` is the checkpoint's; `sample` shows what crops look like."""
        import torch

        from pipeline.embedders.projected import Projected

        what = _network(manifest)
        preprocessing = Preprocessing.from_manifest(what["preprocessing"])
        self.dimension = what["dimension"]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(SEED)
            if what["projected"]:
                model: torch.nn.Module = Projected(what["backbone"], preprocessing.crop, self.dimension)
            else:
                model = backbone(what["backbone"], preprocessing.crop)
                behead(model)
        self.network = Network(model, preprocessing)
        if len(sample) > 1:
            # Batch norm that knows no statistics lets activations die out or explode from layer to layer,
            # and what is then told apart is rounding. Training starts from statistics, too.
            for module in model.modules():
                if isinstance(module, torch.nn.BatchNorm2d):
                    module.momentum = None  # its statistics are those of the sample alone
                    module.train()
            self.embed(sample)
            model.eval()
        self.id = embedder_id(f"untrained {what['backbone']}", what)
        self.manifest: Mapping[str, Any] = {
            "kind": "untrained",
            "spec": f"untrained {what['backbone']}",
            **what,
        }


def _network(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """What a checkpoint's network is, whatever its weights."""
    return {
        "backbone": manifest["backbone"],
        "dimension": manifest["dimension"],
        "projected": manifest["without"] is None,  # only a bare backbone lost its head
        "preprocessing": manifest["preprocessing"],
    }
