"""Byte-pair encoding on characters, with bytes for what has no token."""
