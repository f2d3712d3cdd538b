"""What each operation does to the books: one module an object, one function an operation."""
