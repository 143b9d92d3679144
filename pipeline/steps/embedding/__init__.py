"""Crops to vectors: embed, train, compare and switch embedders."""
