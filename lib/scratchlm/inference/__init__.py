"""Weights to text: choosing tokens, and computing them fast."""
