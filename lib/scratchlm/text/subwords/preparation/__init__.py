"""What happens to text before a model spells it, and to tokens after."""
