"""Wildloop's library: arrays, records, the store, Label Studio, and the steps between them."""

__version__ = "0.1.0"
