"""Seed tracks: songs made into stems once, and kept by their content for whoever mixes them."""
