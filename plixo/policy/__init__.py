"""Decision tables and the limits beside them."""
