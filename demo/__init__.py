"""The story, the embedded parts it runs on, and the independent checker."""
