"""Interface between the queue and the pipelines.

A handler runs one job type. It reads files, writes files into a folder, and returns the output as a
function of the stored files. It uses neither Redis nor Postgres nor the store.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from mashup_worker.queue.job_inputs import JobInput

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from pathlib import Path
    from uuid import UUID

    from mashup_worker.audio.song_tags import SongTags
    from mashup_worker.pipelines.clock import OnProgress
    from mashup_worker.queue.job_outputs import JobOutput, LicensedModel
    from mashup_worker.worker.model_cache import ModelCache

Request = TypeVar("Request", bound=JobInput, covariant=True)
Handled = TypeVar("Handled", bound=JobInput, contravariant=True)


@dataclass(frozen=True, kw_only=True)
class FetchedStem:
    """Stem of the registry or another file, decoded on this machine.

    Attributes:
        path: WAV file.
        kind: vocals, drums, ...
        song: identifier of the song that the stem belongs to.
        analysis: analysis of that song by a `separate` job, as its user corrected it; None if
            unknown.
        model: model that separated it; None if unknown.
    """

    path: Path
    kind: str
    song: str
    analysis: Mapping[str, Any] | None
    model: LicensedModel | None = None


class Inputs(Protocol):
    """Access to files that a job names and its user may read."""

    @property
    def tags(self) -> Mapping[Path, SongTags]:
        """Tags of the fetched files, by the paths that were returned for them."""

    def fetch(self, address: str, name: str) -> Path:
        """Fetch and decode audio from an https URL, `s3://bucket/key`, or key of the store.

        Messages call the file by its `name`, such as `input_data.audio`. Returns a WAV file.

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
        """Return the analysis by the `separate` job whose result an address is, if it is one.

        It has the correction of the job's user.
        """


@dataclass(frozen=True, kw_only=True)
class JobContext(Generic[Request]):
    """Job as its handler sees it.

    Attributes:
        request: validated input.
        folder: folder for files of this attempt, deleted afterwards.
        on_progress: receives stages and shares.
    """

    request: Request
    folder: Path
    inputs: Inputs
    models: ModelCache
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
    """File of a result in the store; a permanent `url` has no end."""

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
