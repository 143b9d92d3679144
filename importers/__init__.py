"""Imports: the photographs, boxes and labels of a source into a workspace."""
