"""subwords."""
