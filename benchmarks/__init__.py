"""Slow measurements of quality, speed and memory; run them with `make bench`."""
