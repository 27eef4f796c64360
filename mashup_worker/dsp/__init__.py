"""Signal operations on samples: loudness, transforms, measures of likeness."""
