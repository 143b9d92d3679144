"""Exchange with Label Studio: publish, push, sync, review and refresh."""
