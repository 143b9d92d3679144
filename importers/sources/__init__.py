"""The sources: a module or package for each format of photographs, boxes and labels."""
