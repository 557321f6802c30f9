"""Checkpoints of Hugging Face's families, both ways."""

from scratchlm.interop.hf.models import Loaded, load, save

__all__ = ["Loaded", "load", "save"]
