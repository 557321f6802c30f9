"""Attention that is only faster."""
