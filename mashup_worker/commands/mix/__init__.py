"""`mashup mix`."""
