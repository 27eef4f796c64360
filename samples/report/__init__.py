"""Report of the demo: HTML page of the separated songs, with their sound and pictures."""
