"""The plots of TinyWorld, and what they are made of."""
