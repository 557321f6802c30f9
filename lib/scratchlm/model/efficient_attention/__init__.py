"""efficient_attention."""
