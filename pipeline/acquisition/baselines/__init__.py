"""The query strategies that only `wildloop simulate` replays, beside the one that orders real queues."""
