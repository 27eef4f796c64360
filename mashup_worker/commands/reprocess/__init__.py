"""`mashup reprocess`."""
