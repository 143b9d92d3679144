"""What to label next: query strategies as pure functions over arrays, which return rows in order.

Projects are labelled by `coverage`. The strategies in `baselines` serve `wildloop simulate` alone.
"""

from pipeline.acquisition.round import Round, Strategy

__all__ = ["Round", "Strategy"]
