"""From a source's photographs to rows of the store: read, detect, crop, record."""
