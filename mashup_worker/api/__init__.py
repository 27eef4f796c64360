"""HTTP API of the job queue. It reads and writes rows and passes bytes; it never loads a model."""
