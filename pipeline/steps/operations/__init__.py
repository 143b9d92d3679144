"""For operators and project managers: status, doctor and simulation."""
