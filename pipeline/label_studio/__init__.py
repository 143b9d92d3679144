"""Label Studio: its API, its labelling configuration and what its annotations mean."""
