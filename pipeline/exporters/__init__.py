"""Finished labels as files of the field, one format a module. Each streams a Survey; none knows the store."""
