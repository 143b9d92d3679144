"""`wildloop demo`: Label Studio, the ML backend and a worker on one machine, with a first project."""
