"""HTTP for staff."""
