"""Settings of the services: where jobs, the queue and objects live, and how patient to be.

Names without a prefix are those that other programs know (`DATABASE_URL`, `REDIS_URL`, `S3_BUCKET`,
and `AWS_ACCESS_KEY_ID` and its like, which boto3 reads itself); ours begin with `MASHUP_`.
"""

from __future__ import annotations

from pathlib import Path  # noqa: TC003  (pydantic reads annotations when it runs)
from typing import Annotated, Literal

from pydantic import (
    AliasChoices,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from mashup_worker.errors import InvalidInput
from mashup_worker.logs import LogFormat  # noqa: TC001  (pydantic reads annotations when it runs)

JobType = Literal["separate", "analyze", "mashup", "master"]
JOB_TYPES: tuple[JobType, ...] = ("separate", "analyze", "mashup", "master")

Seconds = Annotated[float, Field(gt=0, le=7 * 86_400)]


def _plain(name: str) -> AliasChoices:
    """A variable that other programs know too, and the name of the field in Python."""
    return AliasChoices(name, name.lower())


class StorageSettings(BaseSettings):
    """Where objects lie; frozen.

    Attributes:
        storage_url: a folder as `file:///…` in place of a bucket (`STORAGE_URL`).
        s3_endpoint_url: the store's address; Amazon's own when None (`S3_ENDPOINT_URL`).
        s3_bucket: bucket of all results (`S3_BUCKET`).
        s3_region: the bucket's region, `auto` for R2 (`S3_REGION`).
        public_base_url: what stands before a key in public links; links are presigned when None
            (`MASHUP_PUBLIC_BASE_URL`).
        url_expiry_s: how long presigned links work (`MASHUP_URL_EXPIRY_S`).
        input_prefixes: beginnings of keys that users' jobs may read; `{user_id}` stands for the
            user of the job (`MASHUP_INPUT_PREFIXES`, a JSON list).
        input_buckets: buckets besides our own that `s3://` inputs may name
            (`MASHUP_INPUT_BUCKETS`, a JSON list).
        fetch_private: whether inputs may be fetched over plain http and from private addresses, for
            development (`MASHUP_FETCH_PRIVATE`).
        max_fetch_bytes: largest input taken (`MASHUP_MAX_FETCH_BYTES`).
        max_duration_s: longest sound taken (`MASHUP_MAX_DURATION_S`).
        max_decoded_bytes: largest decoded sound, as float32 (`MASHUP_MAX_DECODED_BYTES`).
        fetch_timeout_s: longest that fetching an input may take (`MASHUP_FETCH_TIMEOUT_S`).
        decode_timeout_s: longest that decoding an input may take (`MASHUP_DECODE_TIMEOUT_S`).
    """

    model_config = SettingsConfigDict(
        env_prefix="MASHUP_", env_ignore_empty=True, frozen=True, extra="ignore"
    )

    storage_url: str | None = Field(default=None, validation_alias=_plain("STORAGE_URL"))
    s3_endpoint_url: str | None = Field(default=None, validation_alias=_plain("S3_ENDPOINT_URL"))
    s3_bucket: str | None = Field(default=None, validation_alias=_plain("S3_BUCKET"))
    s3_region: str = Field(default="us-east-1", validation_alias=_plain("S3_REGION"))
    public_base_url: str | None = None
    url_expiry_s: Seconds = 86_400.0
    input_prefixes: tuple[str, ...] = ("inputs/{user_id}/", "uploads/{user_id}/", "public/")
    input_buckets: tuple[str, ...] = ()
    fetch_private: bool = False
    max_fetch_bytes: Annotated[int, Field(gt=0)] = 50_000_000
    max_duration_s: Seconds = 600.0
    max_decoded_bytes: Annotated[int, Field(gt=0, le=4_000_000_000)] = 1_000_000_000
    fetch_timeout_s: Seconds = 60.0
    decode_timeout_s: Seconds = 120.0

    @model_validator(mode="after")
    def _one_place(self) -> StorageSettings:
        if self.storage_url is not None and not self.storage_url.startswith("file:///"):
            raise ValueError(f"STORAGE_URL: {self.storage_url} does not begin with file:///")
        return self

    @field_validator("input_prefixes")
    @classmethod
    def _only_the_user(cls, prefixes: tuple[str, ...]) -> tuple[str, ...]:
        for prefix in prefixes:
            try:
                prefix.format(user_id="")
            except (LookupError, ValueError) as error:
                raise ValueError(f"{prefix!r}: only {{user_id}} is filled in") from error
        return prefixes


class ServiceSettings(StorageSettings):
    """All that worker and mirror need to know; frozen.

    Attributes:
        database_url: the Postgres database (`DATABASE_URL`).
        redis_url: the Redis or Valkey server (`REDIS_URL`).
        listen: whether to LISTEN for new rows; `auto` finds out whether it works (`MASHUP_LISTEN`).
        lease_s: how long a job is a worker's without a sign of life (`MASHUP_LEASE_S`).
        sweep_s: how often the mirror looks for what no hint told it (`MASHUP_SWEEP_S`).
        job_timeout_s: longest that one attempt may take (`MASHUP_JOB_TIMEOUT_S`).
        stop_grace_s: how long a stopping worker may go on with its job before it hands it back
            (`MASHUP_STOP_GRACE_S`).
        retry_base_s: pause before the second attempt; doubles with each failure
            (`MASHUP_RETRY_BASE_S`).
        retry_most_s: longest pause between attempts (`MASHUP_RETRY_MOST_S`).
        ageing_s: waiting this long counts as one step of priority (`MASHUP_AGEING_S`).
        queue_depth: how many doorbells wait in Redis for each class of workers
            (`MASHUP_QUEUE_DEPTH`).
        classes: which class of workers does which types of job
            (`MASHUP_CLASSES`, a JSON object).
        enforce_quotas: whether jobs beyond what their user's tier allows fail; false where the
            backend sees to that (`MASHUP_ENFORCE_QUOTAS`).
        publish: `all`, or `jobs` to write nothing but `ai_jobs` (`MASHUP_PUBLISH`).
        reuse_results: whether a job that repeats an earlier one takes over its results
            (`MASHUP_REUSE_RESULTS`).
        orphan_grace_s: how old an object that no row names is before it is removed
            (`MASHUP_ORPHAN_GRACE_S`).
        model: the network that separates where a job names none (`MASHUP_MODEL`).
        compile_networks: whether a worker compiles its networks on CUDA when it starts, which
            takes up to a minute (`MASHUP_COMPILE_NETWORKS`).
        scratch: folder for files of running jobs; the system's own when None (`MASHUP_SCRATCH`).
        metrics_address: `HOST:PORT` where worker or mirror answers `/livez`, `/readyz` and
            `/metrics`; nowhere when None (`MASHUP_METRICS_ADDRESS`).
        log_format: `text` for people, `json` for an object a line (`MASHUP_LOG_FORMAT`).
    """

    database_url: SecretStr | None = Field(default=None, validation_alias=_plain("DATABASE_URL"))
    redis_url: SecretStr | None = Field(default=None, validation_alias=_plain("REDIS_URL"))
    listen: Literal["auto", "on", "off"] = "auto"
    lease_s: Annotated[float, Field(ge=1, le=3_600)] = 60.0
    sweep_s: Annotated[float, Field(ge=0.1, le=600)] = 10.0
    job_timeout_s: Seconds = 1_800.0
    stop_grace_s: Seconds = 25.0
    retry_base_s: Annotated[float, Field(ge=0, le=3_600)] = 5.0
    retry_most_s: Annotated[float, Field(ge=0, le=86_400)] = 300.0
    ageing_s: Seconds = 900.0
    queue_depth: Annotated[int, Field(ge=1, le=1_000)] = 4
    classes: dict[str, tuple[JobType, ...]] = Field(default_factory=lambda: {"gpu": JOB_TYPES})
    enforce_quotas: bool = True
    publish: Literal["all", "jobs"] = "all"
    reuse_results: bool = True
    orphan_grace_s: Seconds = 86_400.0
    model: Annotated[str, Field(pattern=r"^[\w.-]{1,64}$")] = "htdemucs"
    compile_networks: bool = True
    scratch: Path | None = None
    metrics_address: str | None = None
    log_format: LogFormat = "text"

    @model_validator(mode="after")
    def _every_type_once(self) -> ServiceSettings:
        named = [job_type for types in self.classes.values() for job_type in types]
        if sorted(named) != sorted(JOB_TYPES):
            raise ValueError("MASHUP_CLASSES: each type of job belongs to exactly one class")
        return self


def load_service_settings() -> ServiceSettings:
    """The settings of this process, from its environment.

    Raises:
        InvalidInput: a variable's value can't be used; the message names the variable.
    """
    try:
        return ServiceSettings()
    except SettingsError as error:  # its words are those of a parser
        raise InvalidInput(f"{_named_in(str(error))}: it must be JSON") from error
    except ValidationError as error:
        first = error.errors()[0]
        reason = first["msg"].removeprefix("Value error, ")
        if not first["loc"]:
            raise InvalidInput(reason) from error
        raise InvalidInput(f"{_variable(str(first['loc'][0]))}: {reason}") from error


def _named_in(text: str) -> str:
    """The variable of a field that an error quotes."""
    field = text.partition('"')[2].partition('"')[0]
    return _variable(field)


def _variable(field: str) -> str:
    return field if field.isupper() else f"MASHUP_{field.upper()}"
