"""`lite`, the preview model: works offline, splits a song roughly and quickly."""
