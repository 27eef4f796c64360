"""`mashup export`."""
