"""Strategies replayed on a labelled pool, with its labels in place of people, and what that shows."""
