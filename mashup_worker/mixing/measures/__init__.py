"""Measurements of finished mashups."""
