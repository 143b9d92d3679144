"""Wildloop's library: arrays, records, the store, Label Studio, and the steps between them."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("wildloop")
except PackageNotFoundError:  # a checkout on the path, not installed
    __version__ = "unknown"
