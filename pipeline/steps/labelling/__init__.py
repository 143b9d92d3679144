"""Exchange with Label Studio: ask, top up, sync, review and refresh."""
