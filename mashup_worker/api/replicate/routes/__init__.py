"""Routes of Replicate's API, one module for each resource."""

from mashup_worker.api.replicate.routes import elsewhere, files, models, predictions, webhooks

__all__ = ["REPLICATE_ROUTERS", "elsewhere"]

REPLICATE_ROUTERS = (predictions.router, models.router, files.router, webhooks.router)
"""Routers below `/v1`."""
