"""Labelled crops as data for other tools: exports and classification datasets."""
