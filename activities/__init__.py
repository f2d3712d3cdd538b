"""The only place where workflows touch the world."""
