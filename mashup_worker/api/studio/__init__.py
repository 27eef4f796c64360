"""The studio: the page on which people use the API."""
