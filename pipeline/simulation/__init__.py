"""Query strategies replayed on a labelled pool, with its labels in place of annotators."""
