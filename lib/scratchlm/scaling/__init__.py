"""One process to many: every parallelism, each equal to one process."""
