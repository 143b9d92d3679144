"""Builder of group."""
