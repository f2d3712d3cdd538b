"""The dataclasses that cross Temporal."""
