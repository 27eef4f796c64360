"""Webhooks: signed messages about jobs to the addresses that the jobs name."""
