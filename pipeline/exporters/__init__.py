"""Labels as files in the formats of the field, one format a module.

Each exporter streams an `ExportSource`; none of them depends on the store.
"""
