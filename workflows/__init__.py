"""Deterministic processes, one workflow class a file."""
