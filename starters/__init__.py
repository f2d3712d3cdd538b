"""How workflows are started and steered."""
