"""HTML report of a mashup that contains its sound and pictures."""
