"""Bytes to tokens to shards; no torch in it."""
