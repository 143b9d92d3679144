"""Labels and crops out of the workspace: exports and classification datasets."""
