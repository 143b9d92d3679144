"""Embedders turn crops into vectors. They do not use the store; only downloads of weights use the network."""

from __future__ import annotations

from pipeline.embedders.embedder import Embedder
from pipeline.embedders.loading import load, reload

__all__ = ["Embedder", "load", "reload"]
