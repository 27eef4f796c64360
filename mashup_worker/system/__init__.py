"""Operating system services without audio: files, digests, processor cores, child processes."""
