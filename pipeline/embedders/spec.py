"""The text that names an embedder: `kind`, `kind:target`, `kind:target?option=value&...`, or a name.

A name alone is that of an embedder made by `wildloop embedding train`.

The target of `timm` is NAME or NAME:CHECKPOINT. NAME ends at its first colon, not counting the one of a
leading `hf-hub:`; the rest, with any further colons, is CHECKPOINT.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from pipeline.errors import EmbedderError

KINDS: Mapping[str, frozenset[str] | None] = {  # kind: its options; None if it takes no target either
    "auto": None,
    "descriptor": None,
    "efficientnet-lite0": None,
    "torchvision": frozenset({"weights"}),
    "onnx": frozenset({"size", "channels", "mean", "std", "output"}),
    "checkpoint": frozenset(),
    "timm": frozenset(),
}
TRAINED = "trained"  # the kind of an embedder that is named without a kind
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")  # of a trained embedder, and of its folder
HUB = "hf-hub:"  # before OWNER/NAME: a network on the Hugging Face hub, as timm writes it
EXAMPLES = (
    "auto, descriptor, efficientnet-lite0, torchvision:resnet18, "
    "onnx:/path/model.onnx?size=224&mean=127.5&std=127.5, checkpoint:/path/folder, timm:hf-hub:OWNER/NAME, "
    "timm:NAME:/path/weights.safetensors, or the name of one that `wildloop embedding train` made"
)


@dataclass(frozen=True, kw_only=True)
class Spec:
    """An embedder as the user names it."""

    kind: str
    target: str  # a backbone's name or a path; empty for kinds that take none
    options: Mapping[str, str]


def parse(text: str) -> Spec:
    """Read a spec. EmbedderError names the mistake and what would be right."""
    head, _, query = text.partition("?")
    kind, colon, target = head.partition(":")
    if kind not in KINDS and NAME.fullmatch(text):
        return Spec(kind=TRAINED, target=text, options={})
    if kind not in KINDS:
        raise EmbedderError(f"{text!r} names no embedder", remedy=f"one of: {EXAMPLES}")
    allowed = KINDS[kind]
    if allowed is None:
        if colon or query:
            raise EmbedderError(f"embedder {kind!r} takes nothing after its name", remedy=f"write {kind!r}")
        return Spec(kind=kind, target="", options={})
    if not target:
        raise EmbedderError(f"embedder {text!r} names no {_target(kind)}", remedy=f"one of: {EXAMPLES}")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError as exc:
        raise EmbedderError(
            f"{query!r} in embedder {text!r} is not option=value&option=value", remedy=f"as in: {EXAMPLES}"
        ) from exc
    options = dict(pairs)
    unknown = sorted(set(options) - allowed)
    if unknown:
        known = ", ".join(sorted(allowed)) or "none"
        raise EmbedderError(f"embedder {kind!r} has no option {unknown[0]!r}", remedy=f"its options: {known}")
    if len(options) < len(pairs):
        raise EmbedderError(f"an option occurs twice in embedder {text!r}", remedy="give each once")
    return Spec(kind=kind, target=target, options=options)


@dataclass(frozen=True, kw_only=True)
class TimmTarget:
    """A timm network."""

    name: str  # timm's own, or hf-hub:OWNER/NAME
    checkpoint: str | None  # a file or folder; None for the published weights


def timm_target(target: str) -> TimmTarget:
    """Read NAME or NAME:CHECKPOINT; EmbedderError if one of them is empty or NAME is a path."""
    prefix = HUB if target.startswith(HUB) else ""
    name, colon, checkpoint = target.removeprefix(prefix).partition(":")
    if not name or (colon and not checkpoint) or ("/" in name) != bool(prefix):
        raise EmbedderError(
            f"{target!r} after timm: is neither NAME nor NAME:CHECKPOINT",
            remedy="NAME is one of timm's, such as vit_small_patch14_dinov2.lvd142m, or hf-hub:OWNER/NAME "
            "with the colon after hf-hub; CHECKPOINT, after the next colon, is a file or a folder",
        )
    return TimmTarget(name=prefix + name, checkpoint=checkpoint or None)


def _target(kind: str) -> str:
    return {"torchvision": "backbone", "onnx": "file", "checkpoint": "folder", "timm": "network"}[kind]
