"""How well frozen embeddings separate species, at held-out locations and for held-out species."""
