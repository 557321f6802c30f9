"""How good a model is, how sure of that one can be, and what it does."""
