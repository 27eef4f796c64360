"""Checks of the environment, each with a severity, a message and a remedy."""
