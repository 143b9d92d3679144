"""The database: one module for each table or question; SQLite or PostgreSQL."""
