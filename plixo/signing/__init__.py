"""Signed requests and decisions."""
