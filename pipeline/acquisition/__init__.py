"""What to label next: pure functions over arrays that return an order, first row first."""

from pipeline.acquisition.baselines.strategies import STRATEGIES
from pipeline.acquisition.round import Round, Strategy

__all__ = ["STRATEGIES", "Round", "Strategy"]
