"""One module or package for each format that photographs, boxes and labels come in."""
