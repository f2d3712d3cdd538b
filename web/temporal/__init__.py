"""Temporal UI, handed on to signed-in staff at `/temporal`."""
