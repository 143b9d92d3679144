"""Ingestion: photographs are read, detected on, cut into crops and recorded in the store."""
