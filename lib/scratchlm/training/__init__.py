"""Logits to weights: gradients, losses, optimizers and the loop."""
