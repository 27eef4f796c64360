"""PNG plots of analyses and mashups."""
