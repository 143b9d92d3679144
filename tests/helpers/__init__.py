"""Fakes, makers of files and rules of formats that several tests use."""
