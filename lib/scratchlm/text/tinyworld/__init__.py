"""tinyworld."""
