"""What the pages of the book need: figures, glue, and the build."""
