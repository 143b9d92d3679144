"""One module for each command that changes or reports the state of a workspace."""
