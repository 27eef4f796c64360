"""What the work of a job is given, and what it makes: the seam between the queue and the pipelines.

A handler does one type of job. It knows no Redis and no Postgres, and writes no object: it reads
files, makes files in a folder of its own, and says how the output reads once they are stored.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from pathlib import Path
    from uuid import UUID

    from mashup_worker.models.separator import Separator
    from mashup_worker.queue.contracts import JobInput, JobOutput

    OnProgress = Callable[[str, float], None]
    """Called with the stage and its share done, from any thread. An exception raised in it stops
    the work: that is how jobs are canceled and leases are given up."""


@dataclass(frozen=True)
class Stem:
    """A stem of the registry, fetched.

    Attributes:
        path: its file.
        kind: vocals, drums, ...
        song: what tells its song from others.
        analysis: of that song, where it is known.
    """

    path: Path
    kind: str
    song: str
    analysis: Mapping[str, Any] | None


class Inputs(Protocol):
    """Brings what a job names into its folder, where the job's user may read it."""

    def fetch(self, address: str, name: str) -> Path:
        """The sound of an address, as a WAV: an https URL, `s3://bucket/key`, or a key of ours.

        Args:
            address: where it is.
            name: what the job calls it, for messages.

        Raises:
            InvalidInput: there is no such file, it is not this user's to read, or it is no sound.
            FetchRefused, FetchFailed, TooLarge, TooLong, StorageFailed: as they say.
        """
        ...

    def fetch_stem(self, stem_id: UUID, name: str) -> Stem:
        """A stem of the registry.

        Raises:
            InvalidInput: there is no such stem, or it is not this user's to read.
        """
        ...

    def known_analysis(self, address: str) -> Mapping[str, Any] | None:
        """What a `separate` job found out of the song whose stem this is, if it is one."""
        ...


class Models(Protocol):
    """Networks that stay ready between jobs."""

    @property
    def device(self) -> str:
        """Where work is done, such as `cuda:0`."""
        ...

    def separator(self, name: str | None) -> Separator:
        """A network by name, the worker's own choice for None.

        Raises:
            UnknownModel: there is none of this name.
            ModelUnavailable: its weights can't be had.
        """
        ...


@dataclass(frozen=True)
class Work:
    """A job, as its handler sees it.

    Attributes:
        request: its input, checked.
        folder: for files of this attempt; removed afterwards.
        inputs: brings files.
        models: networks.
        on_progress: told of stages and shares.
    """

    request: JobInput
    folder: Path
    inputs: Inputs
    models: Models
    on_progress: OnProgress


@dataclass(frozen=True)
class Sources:
    """What a job is made from.

    Attributes:
        paths: fetched files, by what the job's input calls them, such as `input_data.audio`.
        facts: what else was found out on the way and decides about the result, as JSON.
    """

    paths: Mapping[str, Path]
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class StoredFile:
    """A file of a product in the store.

    Attributes:
        key: its object.
        url: a link to it.
        url_expires_at: when the link ends; None for one that lasts.
        bytes: its size.
        sha256: digest of its bytes.
    """

    key: str
    url: str
    url_expires_at: datetime | None
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Product:
    """What a job made.

    Attributes:
        files: by name, such as `vocals.flac`; each becomes an object.
        output: the job's output, given the stored files by the same names.
    """

    files: Mapping[str, Path]
    output: Callable[[Mapping[str, StoredFile]], JobOutput]


class Handler(Protocol):
    """Does one type of job."""

    @property
    def stages(self) -> Mapping[str, float]:
        """Stages in order, with the share of the time that each takes.

        `fetch` and `upload`, which are not the handler's, are left out.
        """
        ...

    def gather(self, work: Work) -> Sources:
        """Bring the input files."""
        ...

    def settings(self, work: Work) -> Mapping[str, Any]:
        """All that decides about the result beside the input files, as JSON."""
        ...

    def make(self, work: Work, sources: Sources) -> Product:
        """Do the work.

        Raises:
            MashupError: it can't be done; `code` and `retryable` say what becomes of the job.
        """
        ...
