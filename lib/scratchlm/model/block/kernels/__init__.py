"""Norms and feed-forward layers that are only faster."""
