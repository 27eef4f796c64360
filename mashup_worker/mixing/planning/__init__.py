"""Decisions before rendering: from songs and a request to a plan."""
