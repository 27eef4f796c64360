"""Seed tracks: songs with stems, waveforms and analysis, stored by the digest of their file."""
