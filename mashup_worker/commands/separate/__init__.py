"""`mashup separate`."""
