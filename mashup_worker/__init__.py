"""Separates songs into stems, on the user's own GPUs."""

__version__ = "0.1.0"
