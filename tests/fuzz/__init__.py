"""Damaged and malicious files for the decoder."""
