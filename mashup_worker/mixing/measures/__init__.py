"""What is measured of a finished mashup, one file for each group of measurements."""
