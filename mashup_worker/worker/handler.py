"""Interface between the queue and the pipelines.

A handler runs one job type. It reads files, writes files into a folder, and returns the output as a
function of the stored files. It uses neither Redis nor Postgres nor the store.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from mashup_worker.queue.contracts import JobInput

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from pathlib import Path
    from uuid import UUID

    from mashup_worker.models.separator import Separator
    from mashup_worker.queue.contracts import JobOutput

    OnProgress = Callable[[str, float], None]
    """Called with a stage and its share done, from any thread. An exception that it raises stops
    the work; cancellation, timeouts and lost leases are raised there."""

Request = TypeVar("Request", bound=JobInput, covariant=True)
Handled = TypeVar("Handled", bound=JobInput, contravariant=True)


@dataclass(frozen=True, kw_only=True)
class FetchedStem:
    """Stem of the registry, as a local file.

    Attributes:
        path: decoded WAV file.
        kind: vocals, drums, ...
        song: identifier of the song that the stem belongs to.
        analysis: analysis of that song; None if unknown.
    """

    path: Path
    kind: str
    song: str
    analysis: Mapping[str, Any] | None


class Inputs(Protocol):
    """Access to files that a job names and its user may read."""

    def fetch(self, address: str, name: str) -> Path:
        """Fetch and decode audio; return the path of a WAV file.

        Args:
            address: https URL, `s3://bucket/key`, or key of the store.
            name: name of the file in messages, such as `input_data.audio`.

        Raises:
            InvalidInput: the file does not exist, its user must not read it, or it is not audio.
            FetchRefused, FetchFailed, TooLarge, TooLong, StorageFailed: it cannot be fetched.
        """

    def fetch_stem(self, stem_id: UUID, name: str) -> FetchedStem:
        """Fetch and decode a stem of the registry.

        Raises:
            InvalidInput: the stem does not exist, or its user must not read it.
        """

    def known_analysis(self, address: str) -> Mapping[str, Any] | None:
        """Return the analysis by the `separate` job whose result an address is, if it is one."""


class Models(Protocol):
    """Models that stay loaded between jobs."""

    @property
    def device(self) -> str:
        """Device of the models, such as `cuda:0`."""

    def separator(self, name: str | None) -> Separator:
        """Return a loaded model by name; None stands for the worker's default.

        Raises:
            UnknownModel: no model has this name.
            ModelUnavailable: its weights are missing or damaged.
        """

    def free_memory(self) -> None:
        """Return cached memory to the device."""


@dataclass(frozen=True, kw_only=True)
class JobContext(Generic[Request]):
    """Job as its handler sees it.

    Attributes:
        request: validated input.
        folder: folder for files of this attempt, deleted afterwards.
        inputs: access to input files.
        models: loaded models.
        on_progress: receives stages and shares.
    """

    request: Request
    folder: Path
    inputs: Inputs
    models: Models
    on_progress: OnProgress


@dataclass(frozen=True)
class Sources:
    """Fetched inputs of a job.

    Attributes:
        paths: files by their names in the job's input, such as `input_data.audio`.
        facts: further data from fetching that determine the result, as JSON.
    """

    paths: Mapping[str, Path]
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class StoredFile:
    """File of a result in the store.

    Attributes:
        key: object key.
        url: link to the object.
        url_expires_at: end of the link; None for a permanent one.
        bytes: size.
        sha256: digest.
    """

    key: str
    url: str
    url_expires_at: datetime | None
    bytes: int
    sha256: str


@dataclass(frozen=True)
class HandlerResult:
    """Result of a handler.

    Attributes:
        files: files by name, such as `vocals.flac`; each becomes an object.
        output: returns the job's output, given the stored files by the same names.
    """

    files: Mapping[str, Path]
    output: Callable[[Mapping[str, StoredFile]], JobOutput]


class Handler(Protocol[Handled]):
    """Implementation of one job type."""

    @property
    def stages(self) -> Mapping[str, float]:
        """Stages in order, with their shares of the time; without `fetch` and `upload`."""

    @property
    def uses_models(self) -> bool:
        """Whether the job type runs separation models, so that a worker loads them at its start."""

    def fetch(self, job: JobContext[Handled]) -> Sources:
        """Fetch the input files."""

    def settings(self, job: JobContext[Handled]) -> Mapping[str, Any]:
        """Return everything that determines the result besides the sources, as JSON."""

    def run(self, job: JobContext[Handled], sources: Sources) -> HandlerResult:
        """Run the job.

        Raises:
            MashupError: the job fails; `code` and `retryable` determine the next status.
        """
