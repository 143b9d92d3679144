"""Builder of photo."""
