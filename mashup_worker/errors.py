"""Errors of this package, as one tree.

    MashupError
    ├── InvalidInput            a value or file that cannot be used
    │   ├── UnknownModel        no model has this name
    │   ├── ModelNotAllowed     a model whose license the rules exclude
    │   ├── UnsupportedAudio    no decoder reads the file
    │   ├── TooLarge            more bytes than the limit
    │   ├── TooLong             more seconds than the limit
    │   ├── FetchRefused        an address that must not be read
    │   ├── NotFound            nothing that the caller may see has this name
    │   └── Conflict            the request contradicts the present state
    ├── Unauthenticated         no valid token
    ├── Forbidden               a token without the scope
    ├── RateLimited             more requests than the limit
    ├── ModelUnavailable        missing or damaged weights
    ├── DeviceUnavailable       the machine lacks the requested device
    ├── EngineUnavailable       the requested engine or program is not installed
    ├── OutOfMemory             the smallest piece of work does not fit
    ├── DeviceLost              this process can no longer use the device
    ├── StorageFailed           bytes could not be read or written
    ├── FetchFailed             a server that did not deliver a file
    ├── ServiceUnavailable      Postgres, Redis or the store cannot be used
    ├── JobTimeout              a job exceeded its time limit
    ├── LeaseLost               a job no longer belongs to this worker
    ├── QuotaExceeded           a job over the limit of its user's tier
    ├── InternalError           a bug in this package or a library
    └── Canceled                the user canceled the work

Each class sets `code`, which JSON documents and the job table contain; `retryable`, whether a
repeated attempt may succeed without any change; and `exit_code`, with which a command ends if the
error ends its whole run. (If one file among several fails, the exit code is 1.) The first line of a
class's docstring is its default message.
"""

from __future__ import annotations

from typing import ClassVar

EXIT_FAILED = 1
"""Exit code: some inputs failed; a summary names them."""

EXIT_USAGE = 2
"""Exit code: invalid arguments."""

EXIT_ENVIRONMENT = 3
"""Exit code: weights, a device, a service or a writable folder is missing."""

EXIT_INTERRUPTED = 130
"""Exit code: interrupted by Ctrl-C."""


class MashupError(Exception):
    """The work failed."""

    code: ClassVar[str] = "failed"
    retryable: ClassVar[bool] = False
    exit_code: ClassVar[int] = EXIT_FAILED

    def __init__(self, message: str | None = None) -> None:
        summary = (type(self).__doc__ or "").partition("\n")[0]
        super().__init__(message or summary)

    @property
    def message(self) -> str:
        """Message in one line: the thing, its problem, and the remedy."""
        return str(self.args[0])


class InvalidInput(MashupError):
    """The input cannot be used."""

    code = "invalid_input"


class UnknownModel(InvalidInput):
    """No model has this name."""

    code = "unknown_model"
    exit_code = EXIT_USAGE


class ModelNotAllowed(InvalidInput):
    """The license of the model is not allowed."""

    code = "model_not_allowed"
    exit_code = EXIT_USAGE


class UnsupportedAudio(InvalidInput):
    """No decoder reads the file."""

    code = "unsupported_audio"


class TooLarge(InvalidInput):
    """The input is larger than the limit."""

    code = "too_large"


class TooLong(InvalidInput):
    """The input lasts longer than the limit."""

    code = "too_long"


class NotFound(InvalidInput):
    """Not found."""

    code = "not_found"


class Conflict(InvalidInput):
    """The request contradicts the present state."""

    code = "conflict"


class Unauthenticated(MashupError):
    """The request has no valid token."""

    code = "unauthenticated"


class Forbidden(MashupError):
    """The token lacks a scope that the request needs."""

    code = "forbidden"


class RateLimited(MashupError):
    """Too many requests; repeat the request later.

    Attributes:
        retry_after_s: time until a request may succeed.
    """

    code = "rate_limited"
    retryable = True

    def __init__(self, message: str | None = None, *, retry_after_s: int = 5) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ModelUnavailable(MashupError):
    """The weights of the model are missing or damaged."""

    code = "model_unavailable"
    exit_code = EXIT_ENVIRONMENT


class DeviceUnavailable(MashupError):
    """This machine lacks the device."""

    code = "device_unavailable"
    exit_code = EXIT_ENVIRONMENT


class EngineUnavailable(MashupError):
    """The engine or program is not installed."""

    code = "engine_unavailable"
    exit_code = EXIT_ENVIRONMENT


class OutOfMemory(MashupError):
    """The memory is too small, even for one segment."""

    code = "out_of_memory"
    retryable = True
    exit_code = EXIT_ENVIRONMENT


class DeviceLost(MashupError):
    """This process can no longer use the device; only a new process can."""

    code = "device_lost"
    retryable = True
    exit_code = EXIT_ENVIRONMENT


class StorageFailed(MashupError):
    """Bytes could not be read or written."""

    code = "storage_failed"
    retryable = True
    exit_code = EXIT_ENVIRONMENT


class FetchRefused(InvalidInput):
    """The address must not be read."""

    code = "fetch_refused"


class FetchFailed(MashupError):
    """The server did not deliver the file."""

    code = "fetch_failed"
    retryable = True


class ServiceUnavailable(MashupError):
    """Postgres, Redis or the store cannot be used."""

    code = "service_unavailable"
    retryable = True
    exit_code = EXIT_ENVIRONMENT


class JobTimeout(MashupError):
    """The job exceeded its time limit."""

    code = "timeout"
    retryable = True


class LeaseLost(MashupError):
    """The worker sent no heartbeat in time, so it lost the job."""

    code = "lease_lost"
    retryable = True


class QuotaExceeded(MashupError):
    """The limit of the user's tier is reached.

    Attributes:
        limit: the limit as `db.tiers.TierLimit`; None if unknown.
    """

    code = "quota_exceeded"

    def __init__(self, message: str | None = None, *, limit: object = None) -> None:
        super().__init__(message)
        self.limit = limit


class InternalError(MashupError):
    """An unexpected error occurred; see the log."""

    code = "internal_error"
    retryable = True


class Canceled(MashupError):
    """The work was canceled."""

    code = "canceled"
    exit_code = EXIT_INTERRUPTED
