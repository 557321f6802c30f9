"""WordPiece: the longest token that fits."""
