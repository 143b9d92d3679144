"""Readers that the sources share: files, paths, clock times and locations."""
