"""How well frozen embeddings tell species apart, at places and for species that were held out."""
