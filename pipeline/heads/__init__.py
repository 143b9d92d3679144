"""Classifier heads: embeddings in, calibrated probabilities out."""

from pipeline.heads.linear import LinearHead
from pipeline.heads.training import Examples, Fitted, fit

__all__ = ["Examples", "Fitted", "LinearHead", "fit"]
