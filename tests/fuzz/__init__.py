"""Files that nobody should be able to hurt a worker with."""
