"""Llama in JAX, from published files."""

from scratchlm.interop.jax.llama import Llama3Rope, LlamaConfig, logits
from scratchlm.interop.jax.weights import load

__all__ = ["Llama3Rope", "LlamaConfig", "load", "logits"]
