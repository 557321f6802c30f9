"""Byte-pair encoding on arrays: the same ids, sooner."""
