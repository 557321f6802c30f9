"""Turns that are only faster."""
