"""Turn ``book/`` into HTML, PDF and notebooks."""
