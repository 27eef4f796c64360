"""Programs that use the official clients of Replicate, each in an environment of its own."""
