"""Replicate's HTTP API under `/v1`, for backends that were written for a hosted Demucs model."""
