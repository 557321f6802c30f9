"""A head and losses that are only faster, or need less memory."""
