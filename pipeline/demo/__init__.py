"""`wildloop demo`: Label Studio, the backend and a worker on one machine, with a first project."""
