"""What only a GPU can show, by the whole road: `python -m tests.gpu` runs it all and prints a table."""
