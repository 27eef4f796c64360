"""Monitoring of running services: metrics, health checks, and reports of worker processes."""
