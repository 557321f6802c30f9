"""From tokens to vectors, and why order must be added."""
