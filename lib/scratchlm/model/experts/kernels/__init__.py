"""Products that are only faster."""
