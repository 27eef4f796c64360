"""`mashup bench`."""
