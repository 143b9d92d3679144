"""The steps of the work: each function takes a workspace and does one of them, whoever calls it."""
