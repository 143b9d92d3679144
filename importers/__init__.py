"""Photographs to detections to crops: one module for each source."""
