"""Sound in and out of memory: probe, decode, encode, resample."""
