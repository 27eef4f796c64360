"""Separators: the protocol, the Demucs engine, the offline model, catalogue and weight store."""
