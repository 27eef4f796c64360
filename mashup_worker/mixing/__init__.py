"""Mashups: planning, rendering and measuring."""
