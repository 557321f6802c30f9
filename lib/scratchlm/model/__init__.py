"""Tokens to logits: the parts of a transformer and how they compose."""
