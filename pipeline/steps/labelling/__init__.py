"""To and from Label Studio: publish, push, sync, review and refresh the queue."""
