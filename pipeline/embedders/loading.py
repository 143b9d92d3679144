"""From the text that names an embedder to the embedder."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.embedders import failed_download, trained
from pipeline.embedders.embedder import Embedder
from pipeline.embedders.spec import TRAINED, parse, timm_target
from pipeline.errors import EmbedderError

log = logging.getLogger(__name__)

# On a CPU it has three times the throughput of ResNet-18, and better features (75.3 against 69.8 % top-1 on
# ImageNet).
AUTO_BACKBONE = "mobilenet_v3_large"


def load(spec: str, *, data_dir: Path) -> Embedder:
    """The embedder that `spec` names; published weights are cached in the data folder.

    `auto` takes the first of these that it can have: torchvision's weights, on this machine or downloaded;
    the weights of the extra `weights`; the descriptor. A download that failed is logged as a warning once
    and not attempted again for a day; `wildloop doctor` explains it. Every other spec is loaded as named, or
    raises EmbedderError, which says what is wrong with the spec, its file or its folder.
    """
    parsed = parse(spec)
    cache_dir = data_dir / "cache"
    if parsed.kind == "auto":
        return _auto(cache_dir)
    if parsed.kind == "descriptor":
        from pipeline.embedders.descriptor import DescriptorEmbedder

        return DescriptorEmbedder()
    if parsed.kind == "efficientnet-lite0":
        from pipeline.embedders.efficientnet_lite import EfficientNetLiteEmbedder

        return EfficientNetLiteEmbedder()
    if parsed.kind == "torchvision":
        from pipeline.embedders.torchvision import TorchvisionEmbedder

        weights = parsed.options.get("weights", "DEFAULT")
        return TorchvisionEmbedder(parsed.target, weights=weights, cache_dir=cache_dir)
    if parsed.kind == "onnx":
        from pipeline.embedders.onnx import OnnxEmbedder

        return OnnxEmbedder(Path(parsed.target), parsed.options)
    if parsed.kind == "timm":
        from pipeline.embedders.timm import TimmEmbedder

        return TimmEmbedder(timm_target(parsed.target), cache_dir=cache_dir)
    from pipeline.embedders.checkpoint import CheckpointEmbedder

    if parsed.kind == TRAINED:
        return CheckpointEmbedder(trained.folder(data_dir, parsed.target), spec=spec)
    return CheckpointEmbedder(Path(parsed.target))


def reload(embedder_id: str, manifest: Mapping[str, Any], *, data_dir: Path) -> Embedder:
    """The embedder with this id and manifest in a store; EmbedderError if its spec now gives another one."""
    embedder = load(str(manifest["spec"]), data_dir=data_dir)
    if embedder.id != embedder_id:
        raise EmbedderError(
            f"{manifest['spec']} is now embedder {embedder.id}, not {embedder_id}",
            remedy="restore its former file, or embed the crops again with the new one",
        )
    return embedder


def _auto(cache_dir: Path) -> Embedder:
    from pipeline.embedders.torchvision import TorchvisionEmbedder, WeightsUnavailableError, find_cached

    file_name, is_cached = find_cached(AUTO_BACKBONE, cache_dir)
    error: EmbedderError | None = None
    if is_cached or failed_download.recent(cache_dir) is None:
        try:
            return TorchvisionEmbedder(AUTO_BACKBONE, cache_dir=cache_dir)
        except WeightsUnavailableError as exc:
            error = exc
            if not is_cached:
                failed_download.remember(cache_dir, file_name, exc.what)
    fallback = _fallback()
    if error is None:
        log.info("%s in place of %s, whose download failed within a day", fallback.id, AUTO_BACKBONE)
    elif is_cached:
        log.warning("%s is used in place of %s: %s", fallback.manifest["spec"], AUTO_BACKBONE, error)
    elif fallback.manifest["kind"] == "descriptor":
        log.warning("no pretrained network: crops are told apart by colour and shape; see `wildloop doctor`")
    else:
        log.warning(
            "%s is used in place of %s, which cannot be downloaded: see `wildloop doctor`",
            fallback.manifest["spec"],
            AUTO_BACKBONE,
        )
    return fallback


def _fallback() -> Embedder:
    """The best embedder that needs no download."""
    from pipeline.embedders.efficientnet_lite import EfficientNetLiteEmbedder, weights_file

    if weights_file() is not None:
        return EfficientNetLiteEmbedder()
    from pipeline.embedders.descriptor import DescriptorEmbedder

    return DescriptorEmbedder()
