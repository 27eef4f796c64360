"""Checkpoints: untrusted files that define networks and hold their weights."""
