"""Labels as files in the formats of the field, one format a module.

Each exporter streams an `ExportSource`, and none of them knows the store.
"""
