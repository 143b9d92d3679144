"""Servers as child processes of this one, for one machine: Label Studio, the ML backend, a worker."""
