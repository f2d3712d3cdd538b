"""The same functions as the console, for programs."""
