"""Measurements of speed, memory and quality, and the page that is made of them."""
