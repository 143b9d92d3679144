"""What to label next: pure functions over arrays that return an order, first row first."""

from pipeline.acquisition.round import Round, Strategy
from pipeline.acquisition.strategies import STRATEGIES

__all__ = ["STRATEGIES", "Round", "Strategy"]
