"""The text that names an embedder: `kind`, `kind:target` or `kind:target?option=value&...`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from pipeline.errors import EmbedderError

KINDS: Mapping[str, frozenset[str] | None] = {  # kind: its options; None where it takes no target either
    "auto": None,
    "descriptor": None,
    "torchvision": frozenset({"weights"}),
    "onnx": frozenset({"size", "channels", "mean", "std", "output"}),
    "checkpoint": frozenset(),
}
EXAMPLES = (
    "auto, descriptor, torchvision:resnet18, onnx:/path/model.onnx?size=224&mean=127.5&std=127.5, "
    "checkpoint:/path/folder"
)


@dataclass(frozen=True, kw_only=True)
class Spec:
    """An embedder as the user names it."""

    kind: str
    target: str  # a backbone's name or a path; empty for kinds that need none
    options: Mapping[str, str]


def parse(text: str) -> Spec:
    """Read a spec. EmbedderError names what is wrong and what would be right."""
    head, _, query = text.partition("?")
    kind, colon, target = head.partition(":")
    if kind not in KINDS:
        raise EmbedderError(f"{text!r} names no embedder", remedy=f"one of: {EXAMPLES}")
    allowed = KINDS[kind]
    if allowed is None:
        if colon or query:
            raise EmbedderError(f"embedder {kind!r} takes nothing behind its name", remedy=f"write {kind!r}")
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
        known = ", ".join(sorted(allowed)) or "no options"
        raise EmbedderError(f"embedder {kind!r} has no option {unknown[0]!r}", remedy=f"it takes {known}")
    if len(options) < len(pairs):
        raise EmbedderError(f"an option stands twice in embedder {text!r}", remedy="name each once")
    return Spec(kind=kind, target=target, options=options)


def _target(kind: str) -> str:
    return {"torchvision": "backbone", "onnx": "file", "checkpoint": "folder"}[kind]
