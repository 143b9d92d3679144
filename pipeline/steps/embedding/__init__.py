"""Embedders: embed crops; train, finetune, evaluate, export and change embedders."""
