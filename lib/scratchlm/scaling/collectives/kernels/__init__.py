"""Faster ways around the ring."""
