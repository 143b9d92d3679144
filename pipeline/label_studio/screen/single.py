"""Builder of single."""
