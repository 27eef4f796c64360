"""Creation of jobs: each once, with the rights and within the limits of its user."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from mashup_worker.api.addresses import resolved
from mashup_worker.db import jobs, new_jobs
from mashup_worker.db.database import assume_role
from mashup_worker.db.publishing import owns_mashup
from mashup_worker.errors import Conflict, InvalidInput, NotFound, QuotaExceeded
from mashup_worker.licenses import check_known_model
from mashup_worker.queue.contracts import CONTRACTS
from mashup_worker.queue.job_inputs import JobInput
from mashup_worker.queue.validation import read_input
from mashup_worker.storage.sources import SourceRights

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from mashup_worker.api.access.callers import Caller
    from mashup_worker.api.context import ApiContext
    from mashup_worker.db.database import Connection
    from mashup_worker.db.jobs import Job
    from mashup_worker.db.tiers import TierLimit
    from mashup_worker.vocabulary import ExportName, JobType

_TYPES: dict[type[JobInput], JobType] = {
    contract.input: job_type for job_type, contract in CONTRACTS.items()
}

_EXPORTED: frozenset[str] = frozenset({"mashup", "master"})

_OF_RESULT = {"mashup_id", *JobInput.model_fields}
"""Keys of an input that name what receives the result."""


def create_job(
    context: ApiContext,
    caller: Caller,
    request: JobInput,
    *,
    idempotency_key: str | None = None,
    deadline_s: float | None = None,
) -> Job:
    """Insert a job, or return the one that an equal request with the same key inserted.

    Args:
        context: services.
        caller: caller, for whose user the job is.
        request: valid input of the job; only keys that were given are stored. Addresses of this
            API are replaced by the keys of their objects.
        idempotency_key: key of the request, chosen by the client.
        deadline_s: time from now until the job is canceled.

    Raises:
        Conflict: another request with this key inserted a job.
        NotFound: the user must not read an input, or does not own the mashup.
        QuotaExceeded: the limit of the user's tier is reached.
        ModelNotAllowed: the license of the model is not allowed.
        InvalidInput: the user has no profile.
    """
    return _NewJob(
        context=context,
        caller=caller,
        user_id=caller.user_id,
        request=request.with_addresses(partial(resolved, context, caller.user_id)),
        idempotency_key=idempotency_key,
        deadline_s=deadline_s,
    ).created()


def repeat_job(
    context: ApiContext,
    caller: Caller,
    job_id: UUID,
    *,
    idempotency_key: str | None = None,
    export: Sequence[ExportName] = (),
) -> Job:
    """Insert a copy of an ended job, for the same user.

    Args:
        context: services.
        caller: caller.
        job_id: the ended job.
        idempotency_key: key of the request, chosen by the client.
        export: formats to write the result of a completed mashup or master in; such a copy changes
            no mashup of the user and calls no webhook.

    Raises:
        NotFound: the caller may see no such job.
        Conflict: the job has not ended or cannot be exported, or as `create_job`.
        InvalidInput, QuotaExceeded: as `create_job`.
    """
    with context.transaction(caller) as connection:
        old = jobs.find(connection, job_id)
    if old is None:
        raise NotFound(f"job {job_id}: not found")
    if not old.is_terminal:
        raise Conflict(f"job {job_id}: still {old.status}; wait for its end or cancel it")
    document = old.input_data
    if export:
        if old.job_type not in _EXPORTED or old.status != "completed":
            raise Conflict(
                f"job {job_id}: {old.status} {old.job_type}; export completed mashups and masters, "
                "and songs by /api/songs"
            )
        document = {name: value for name, value in document.items() if name not in _OF_RESULT}
        document["export"] = list(dict.fromkeys(export))
    request, _ = read_input(old.job_type, document)
    return _NewJob(
        context=context,
        caller=caller,
        user_id=old.user_id,
        request=request,
        idempotency_key=idempotency_key,
        retry_of=old.id,
    ).created()


@dataclass(frozen=True, kw_only=True)
class _NewJob:
    """Job to insert."""

    context: ApiContext
    caller: Caller
    user_id: UUID | None
    request: JobInput
    idempotency_key: str | None
    retry_of: UUID | None = None
    deadline_s: float | None = None

    @property
    def job_type(self) -> JobType:
        return _TYPES[type(self.request)]

    def created(self) -> Job:
        if self.idempotency_key is not None:
            with self.context.transaction(self.caller) as connection:
                earlier = self._earlier(connection)
            if earlier is not None:
                return earlier
        check_known_model(
            getattr(self.request, "model", None), self.context.settings.worker.license_rule
        )
        self._check_addresses()
        # As the API itself, which may ask for rights and limits. Then as the caller.
        with self.context.database.transaction() as connection:
            self._check_registry(connection)
            limit = self._reached_limit(connection)
            assume_role(connection, self.caller.role, self.caller.claims)
            # A parallel request with the same key may have reached the limit.
            job = self._earlier(connection) if limit else self._inserted(connection)
        if job is None and limit is not None:
            raise QuotaExceeded(limit.message, limit=limit)
        if job is None:
            raise Conflict(f"Idempotency-Key {self.idempotency_key!r}: its job was removed")
        return job

    def _inserted(self, connection: Connection) -> Job | None:
        """Insert the job; return an earlier one if a parallel request inserted it."""
        inserted = new_jobs.insert(
            connection,
            self.job_type,
            self.request.model_dump(mode="json", exclude_unset=True),
            user_id=self.user_id,
            idempotency_key=self.idempotency_key,
            retry_of=self.retry_of,
            deadline_s=self.deadline_s,
        )
        return inserted or self._earlier(connection)

    def _earlier(self, connection: Connection) -> Job | None:
        """Return the job of an equal request with the same key."""
        if self.idempotency_key is None:
            return None
        job = new_jobs.with_key(connection, self.user_id, self.idempotency_key)
        if job is None:
            return None
        try:
            request, _ = read_input(job.job_type, job.input_data)
        except InvalidInput:  # inserted with SQL
            request = None
        if request != self.request or job.retry_of != self.retry_of:
            raise Conflict(
                f"Idempotency-Key {self.idempotency_key!r}: used for other work; choose a new one"
            )
        return job

    def _check_addresses(self) -> None:
        rights = SourceRights(
            storage=self.context.storage,
            settings=self.context.settings.inputs,
            user_id=self.user_id,
            owns_job=self._owns_job,
            refusal=NotFound,
        )
        for address in self.request.addresses():
            rights.locate(address)

    def _owns_job(self, job_id: UUID) -> bool:
        with self.context.transaction(self.caller) as connection:
            job = jobs.find(connection, job_id)
        return job is not None and job.user_id == self.user_id

    def _check_registry(self, connection: Connection) -> None:
        stems = self.request.stem_ids()
        if stems:
            missing = new_jobs.unreadable_stems(connection, self.user_id, stems)
            if missing:
                raise NotFound(f"stem_id {missing[0]}: not found, or this user must not read it")
        mashup_id = getattr(self.request, "mashup_id", None)
        if mashup_id is None or not self.context.settings.results.writes_all_tables:
            return
        if not owns_mashup(connection, mashup_id, self.user_id):
            raise NotFound(f"mashup_id {mashup_id}: not found, or not a mashup of this user")

    def _reached_limit(self, connection: Connection) -> TierLimit | None:
        if self.user_id is None or not self.context.settings.queue.enforce_quotas:
            return None
        return new_jobs.reached_limit(connection, self.user_id, self.job_type)
