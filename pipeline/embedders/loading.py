"""From the text that names an embedder to the embedder."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.embedders import trained
from pipeline.embedders.embedder import Embedder
from pipeline.embedders.spec import TRAINED, parse, timm_target
from pipeline.errors import EmbedderError

log = logging.getLogger(__name__)

# Three times the throughput of ResNet-18 on a CPU, and better features (75.3 against 69.8 % on ImageNet).
AUTO_BACKBONE = "mobilenet_v3_large"


def load(spec: str, *, data_dir: Path) -> Embedder:
    """The embedder that `spec` names; published weights are kept in the cache of the data folder.

    `auto` takes pretrained weights that are on this machine or can be fetched, and else the descriptor,
    with a warning. EmbedderError says what is wrong with the spec, its file or its folder.
    """
    named = parse(spec)
    cache_dir = data_dir / "cache"
    if named.kind == "auto":
        return _auto(cache_dir)
    if named.kind == "descriptor":
        from pipeline.embedders.descriptor import DescriptorEmbedder

        return DescriptorEmbedder()
    if named.kind == "torchvision":
        from pipeline.embedders.torchvision import TorchvisionEmbedder

        weights = named.options.get("weights", "DEFAULT")
        return TorchvisionEmbedder(named.target, weights=weights, cache_dir=cache_dir)
    if named.kind == "onnx":
        from pipeline.embedders.onnx import OnnxEmbedder

        return OnnxEmbedder(Path(named.target), named.options)
    if named.kind == "timm":
        from pipeline.embedders.timm import TimmEmbedder

        return TimmEmbedder(timm_target(named.target), cache_dir=cache_dir)
    from pipeline.embedders.checkpoint import CheckpointEmbedder

    if named.kind == TRAINED:
        return CheckpointEmbedder(trained.folder(data_dir, named.target), spec=spec)
    return CheckpointEmbedder(Path(named.target))


def reload(embedder_id: str, manifest: Mapping[str, Any], *, data_dir: Path) -> Embedder:
    """The embedder that a store knows by this id and manifest; EmbedderError where it is another by now."""
    embedder = load(str(manifest["spec"]), data_dir=data_dir)
    if embedder.id != embedder_id:
        raise EmbedderError(
            f"{manifest['spec']} is now embedder {embedder.id}, not {embedder_id}",
            remedy="put back its former file, or embed the crops again with the new one",
        )
    return embedder


def _auto(cache_dir: Path) -> Embedder:
    from pipeline.embedders.descriptor import DescriptorEmbedder
    from pipeline.embedders.torchvision import TorchvisionEmbedder, WeightsUnavailableError

    try:
        return TorchvisionEmbedder(AUTO_BACKBONE, cache_dir=cache_dir)
    except WeightsUnavailableError as exc:
        log.warning(
            "No pretrained network is at hand, so crops are told apart by colour and shape alone: %s. "
            "For better predictions, do that, or name an embedder "
            "(WILDLOOP_EMBEDDER=onnx:/path/model.onnx, or --embedder)",
            exc,
        )
        return DescriptorEmbedder()
