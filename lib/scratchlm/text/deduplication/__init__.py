"""deduplication."""
