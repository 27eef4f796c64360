"""Separators: one protocol, the Demucs engine, the offline model, the catalogue and the weight store."""
