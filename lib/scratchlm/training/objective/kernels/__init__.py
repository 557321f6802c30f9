"""What is only smaller in memory."""
