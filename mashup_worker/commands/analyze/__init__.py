"""`mashup analyze`."""
