"""What all parts stand on: files, processes, arguments, draws, arrays."""
