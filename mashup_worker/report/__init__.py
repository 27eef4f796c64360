"""HTML reports that contain their sound and pictures."""
