"""From labels to versions and queues: train, predict, activate, audit and accept."""
