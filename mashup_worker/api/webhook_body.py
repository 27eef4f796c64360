"""Bodies of webhooks. Mirrors import this module, so it must not import FastAPI."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mashup_worker.api.documents import JobDocument
from mashup_worker.api.links import link
from mashup_worker.api.replicate.documents import prediction_of
from mashup_worker.errors import ServiceUnavailable

if TYPE_CHECKING:
    from mashup_worker.db.jobs import Job
    from mashup_worker.settings import ServiceSettings


@dataclass(frozen=True)
class WebhookBodies:
    """Maker of the JSON that webhooks carry: the API's answer for the job, or for the prediction.

    Implements `LinkSource` for the links in predictions.
    """

    settings: ServiceSettings

    def __call__(self, job: Job) -> bytes:
        """Return the JSON of a job.

        Raises:
            ServiceUnavailable: the job may be a prediction, and a setting for its links is missing.
        """
        if isinstance(job.input_data, dict) and "prediction" in job.input_data:
            prediction = prediction_of(job, url=self.url, link=self._link)
            if prediction is not None:
                return prediction.model_dump_json().encode()
        return JobDocument.of(job).model_dump_json().encode()

    @property
    def url(self) -> str:
        """Public address of the API."""
        if self.settings.api.api_url is None:
            raise ServiceUnavailable("MASHUP_API_URL: not set; set it as for the API")
        return self.settings.api.api_url

    @property
    def secret(self) -> bytes:
        """Secret from which all keys of the API are derived."""
        if self.settings.api.api_secret is None:
            raise ServiceUnavailable("MASHUP_API_SECRET: not set; set it as for the API")
        return self.settings.api.api_secret.get_secret_value().encode()

    def _link(self, key: str, name: str) -> str:
        return link(self, key, name, self.settings.storage.url_expiry_s).url
