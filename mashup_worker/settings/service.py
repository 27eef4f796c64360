"""Settings of worker, mirror and API, in groups.

A field `name` comes from `MASHUP_NAME`; lists and objects are JSON. Variables without the prefix
are shared with other programs: `DATABASE_URL`, `REDIS_URL`, `STORAGE_URL`, `S3_ENDPOINT_URL`,
`S3_BUCKET`, `S3_REGION`, and `AWS_ACCESS_KEY_ID` and the like, which boto3 reads.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path  # noqa: TC003  (pydantic reads annotations at runtime)
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from mashup_worker.errors import InvalidInput
from mashup_worker.licenses import ALL_LICENSES, CATALOGUE_LICENSES, LicenseRule
from mashup_worker.logs import LogFormat  # noqa: TC001  (pydantic reads annotations at runtime)
from mashup_worker.settings.environment import (
    EnvironmentSettings,
    from_environment,
    shared_variable,
)
from mashup_worker.vocabulary import JOB_TYPES, JobType

Seconds = Annotated[float, Field(gt=0, le=7 * 86_400)]


class ConnectionSettings(EnvironmentSettings):
    """Addresses of Postgres and of Redis or Valkey.

    Attributes:
        listen: whether to LISTEN for new rows; `auto` tests whether notifications arrive.
    """

    database_url: SecretStr | None = Field(
        default=None, validation_alias=shared_variable("DATABASE_URL")
    )
    redis_url: SecretStr | None = Field(default=None, validation_alias=shared_variable("REDIS_URL"))
    listen: Literal["auto", "on", "off"] = "auto"


class StorageSettings(EnvironmentSettings):
    """Location of the object store, and the links to its objects.

    Attributes:
        storage_url: a folder as `file:///…`, used in place of a bucket.
        s3_endpoint_url: address of the store; None for Amazon S3.
        s3_region: region of the bucket, `auto` for R2.
        public_base_url: address before the key in public links; None for presigned links.
        url_expiry_s: lifetime of presigned links.
    """

    storage_url: str | None = Field(default=None, validation_alias=shared_variable("STORAGE_URL"))
    s3_endpoint_url: str | None = Field(
        default=None, validation_alias=shared_variable("S3_ENDPOINT_URL")
    )
    s3_bucket: str | None = Field(default=None, validation_alias=shared_variable("S3_BUCKET"))
    s3_region: str = Field(default="us-east-1", validation_alias=shared_variable("S3_REGION"))
    public_base_url: str | None = None
    url_expiry_s: Seconds = 86_400.0

    @field_validator("storage_url")
    @classmethod
    def _file_url(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith("file:///"):
            raise ValueError(f"{url}: not a folder; use file:///…")
        return url


class InputSettings(EnvironmentSettings):
    """Permissions and limits of untrusted input.

    Attributes:
        input_prefixes: prefixes of the keys that jobs of users may read; `{user_id}` stands for the
            job's user.
        input_buckets: other buckets that `s3://` inputs may name.
        fetch_private: allow plain http and private addresses, for development.
        max_fetch_bytes: largest input file.
        fetch_timeout_s: longest fetch of an input.
        max_duration_s: longest audio.
        max_decoded_bytes: largest decoded audio, as float32.
        decode_timeout_s: longest decoding of an input.
    """

    input_prefixes: tuple[str, ...] = ("inputs/{user_id}/", "uploads/{user_id}/", "public/")
    input_buckets: tuple[str, ...] = ()
    fetch_private: bool = False
    max_fetch_bytes: Annotated[int, Field(gt=0)] = 50_000_000
    fetch_timeout_s: Seconds = 60.0
    max_duration_s: Seconds = 600.0
    max_decoded_bytes: Annotated[int, Field(gt=0, le=4_000_000_000)] = 1_000_000_000
    decode_timeout_s: Seconds = 120.0

    @field_validator("input_prefixes")
    @classmethod
    def _only_user_id(cls, prefixes: tuple[str, ...]) -> tuple[str, ...]:
        for prefix in prefixes:
            try:
                prefix.format(user_id="")
            except (LookupError, ValueError) as error:
                raise ValueError(f"{prefix!r}: the only placeholder is {{user_id}}") from error
        return prefixes


class QueueSettings(EnvironmentSettings):
    """Queues, and the order in which their jobs start.

    Attributes:
        queues: job types of each queue.
        poll_s: how often the mirror polls Postgres for changes that no notification announced.
        queue_depth: number of wake-ups that wait in Redis for each queue.
        aging_s: waiting time that raises the priority of a job by one.
        enforce_quotas: whether jobs beyond the limit of their user's tier fail; false where the
            backend enforces limits.
    """

    queues: dict[str, tuple[JobType, ...]] = Field(default_factory=lambda: {"gpu": JOB_TYPES})
    poll_s: Annotated[float, Field(ge=0.1, le=600)] = 10.0
    queue_depth: Annotated[int, Field(ge=1, le=1_000)] = 4
    aging_s: Seconds = 900.0
    enforce_quotas: bool = True

    @field_validator("queues")
    @classmethod
    def _each_type_once(
        cls, queues: dict[str, tuple[JobType, ...]]
    ) -> dict[str, tuple[JobType, ...]]:
        named = [job_type for job_types in queues.values() for job_type in job_types]
        if sorted(named) != sorted(JOB_TYPES):
            raise ValueError(f"name each of {', '.join(JOB_TYPES)} in exactly one queue")
        return queues


class AttemptSettings(EnvironmentSettings):
    """Time limits and retries of attempts at jobs.

    Attributes:
        lease_s: how long a job belongs to its worker after a heartbeat.
        job_timeout_s: longest attempt.
        stop_grace_s: how long a stopping worker continues its job before it releases the job.
        retry_base_s: pause before the second attempt; doubles with each failure.
        retry_max_s: longest pause between attempts.
    """

    lease_s: Annotated[float, Field(ge=1, le=3_600)] = 60.0
    job_timeout_s: Seconds = 1_800.0
    stop_grace_s: Seconds = 25.0
    retry_base_s: Annotated[float, Field(ge=0, le=3_600)] = 5.0
    retry_max_s: Annotated[float, Field(ge=0, le=86_400)] = 300.0


class ResultSettings(EnvironmentSettings):
    """Publication, reuse and removal of results.

    Attributes:
        publish: `all`, or `jobs` to write no table except `ai_jobs`.
        reuse_results: whether a job that repeats an earlier one takes copies of its results.
        orphan_grace_s: age at which an object that no row names is removed.
    """

    publish: Literal["all", "jobs"] = "all"
    reuse_results: bool = True
    orphan_grace_s: Seconds = 86_400.0

    @property
    def writes_all_tables(self) -> bool:
        """Whether finished jobs write the backend's tables."""
        return self.publish == "all"


class WorkerSettings(EnvironmentSettings):
    """Settings of worker processes.

    Attributes:
        model: model that separates where a job names none; `auto` for the best one that is allowed
            and available.
        allowed_licenses: licenses of weights that jobs may use, as classes and ids with commas,
            such as `permissive,CC-BY-NC-4.0`; all by default. The API refuses other models too.
        compile_networks: whether a worker compiles its networks on CUDA when it starts, which takes
            up to a minute.
        scratch: folder for files of running jobs and uploads; None for the system's temporary
            folder.
    """

    model: Annotated[str, Field(pattern=r"^[\w.-]{1,64}$")] = "htdemucs"
    allowed_licenses: str = ""
    compile_networks: bool = True
    scratch: Path | None = None

    @property
    def license_rule(self) -> LicenseRule:
        """Licenses of weights that jobs may use."""
        return LicenseRule.of([self.allowed_licenses]) if self.allowed_licenses else ALL_LICENSES

    @field_validator("allowed_licenses")
    @classmethod
    def _allows_the_model(cls, terms: str, info: ValidationInfo) -> str:
        try:
            rule = LicenseRule.of([terms]) if terms else ALL_LICENSES
        except InvalidInput as error:
            raise ValueError(error.message) from error
        model = info.data.get("model", "")
        stated = CATALOGUE_LICENSES.get(model)
        if stated is not None and not rule.allows(stated):
            raise ValueError(
                f"{model}, the model of jobs that name none, is {stated}, and allowed is only "
                f"{rule}; set MASHUP_MODEL to auto or to an allowed model"
            )
        return terms


class MonitoringSettings(EnvironmentSettings):
    """Metrics and log lines.

    Attributes:
        metrics_address: `HOST:PORT` at which worker, mirror or API serves `/livez`, `/readyz` and
            `/metrics`; None for no server.
        log_format: `text`, or `json` for one object per line.
        device_hour_cost: price of an hour of a device, in any currency; None if unknown.
    """

    metrics_address: str | None = None
    log_format: LogFormat = "text"
    device_hour_cost: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None


class WebhookSettings(EnvironmentSettings):
    """Delivery of webhooks by mirrors.

    Attributes:
        webhook_timeout_s: longest try.
        webhook_retry_base_s: pause after the first failed try; doubles up to an hour.
        webhook_retry_s: time from the first try to the last one.
        webhook_retention_s: age at which delivered messages are removed from the outbox.
    """

    webhook_timeout_s: Annotated[float, Field(gt=0, le=60)] = 10.0
    webhook_retry_base_s: Annotated[float, Field(gt=0, le=3_600)] = 10.0
    webhook_retry_s: Seconds = 86_400.0
    webhook_retention_s: Seconds = 86_400.0


class ApiSettings(EnvironmentSettings):
    """Access to the HTTP API, and its limits.

    Attributes:
        api_url: address of the API as clients see it, without a path; links are built from it.
        api_secret: secret that signs links to files and from which the secrets of webhooks are
            derived; at least 32 letters.
        jwt_secret: secret of tokens signed with HS256.
        jwks_url: address of the public keys of tokens signed with ES256 or RS256.
        jwt_issuer: issuer that tokens must name; None for any.
        jwt_audience: audience that tokens must name.
        cors_origins: origins of web pages that may call the API.
        trusted_proxies: addresses and networks of proxies whose `X-Forwarded-For` is believed.
        requests_per_minute: limit for each token, and for each address without one.
        max_body_bytes: largest body of a prediction; a whole song may arrive in it as a data URI.
        body_timeout_s: longest time in which a request body arrives.
        upload_ticket_s: time in which an upload to the store must start.
    """

    api_url: str | None = None
    api_secret: Annotated[SecretStr, Field(min_length=32)] | None = None
    jwt_secret: SecretStr | None = Field(
        default=None, validation_alias=shared_variable("SUPABASE_JWT_SECRET")
    )
    jwks_url: str | None = None
    jwt_issuer: str | None = None
    jwt_audience: str = "authenticated"
    cors_origins: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    requests_per_minute: Annotated[int, Field(ge=1)] = 1_200
    max_body_bytes: Annotated[int, Field(ge=1_024)] = 70_000_000
    body_timeout_s: Seconds = 600.0
    upload_ticket_s: Seconds = 900.0

    @field_validator("api_url")
    @classmethod
    def _origin(cls, url: str | None) -> str | None:
        if url is None:
            return None
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url}: not an address; use https://host")
        if parts.path not in ("", "/") or parts.query or parts.fragment:
            raise ValueError(f"{url}: has a path; use https://host")
        return url.rstrip("/")


@dataclass(frozen=True, kw_only=True)
class ServiceSettings:
    """All settings of worker, mirror and API; each group reads its own environment variables."""

    connections: ConnectionSettings = field(default_factory=ConnectionSettings)
    storage: StorageSettings = field(default_factory=StorageSettings)
    inputs: InputSettings = field(default_factory=InputSettings)
    queue: QueueSettings = field(default_factory=QueueSettings)
    attempts: AttemptSettings = field(default_factory=AttemptSettings)
    results: ResultSettings = field(default_factory=ResultSettings)
    worker: WorkerSettings = field(default_factory=WorkerSettings)
    monitoring: MonitoringSettings = field(default_factory=MonitoringSettings)
    webhooks: WebhookSettings = field(default_factory=WebhookSettings)
    api: ApiSettings = field(default_factory=ApiSettings)

    @classmethod
    def variables(cls) -> frozenset[str]:
        """Return the names of all environment variables that the groups read."""
        groups = (group.default_factory for group in fields(cls))
        return frozenset[str]().union(*(group.variables() for group in groups))  # type: ignore[union-attr]


def load_service_settings() -> ServiceSettings:
    """Return the service settings in the environment.

    Raises:
        InvalidInput: a variable has an invalid value; the message names the variable.
    """
    return from_environment(ServiceSettings)
