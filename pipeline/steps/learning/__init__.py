"""Labels to model versions and queues: train, predict, audit, accept."""
