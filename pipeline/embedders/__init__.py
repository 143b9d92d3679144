"""Embedders turn crops into vectors. Pure: no store, no network but for published weights."""

from __future__ import annotations

from pipeline.embedders.embedder import Embedder
from pipeline.embedders.loading import load, reload

__all__ = ["Embedder", "load", "reload"]
