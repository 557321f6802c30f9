"""Faster ways to the next token."""
