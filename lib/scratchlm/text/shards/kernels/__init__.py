"""Reading that is only faster."""
