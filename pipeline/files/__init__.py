"""Files and folders: read by path or URL, written completely or not at all, locked."""
