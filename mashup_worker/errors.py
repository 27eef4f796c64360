"""Everything that can go wrong, as one tree.

    MashupError
    ├── InvalidInput            a value or file that can never work
    │   ├── UnknownModel        no model has this name
    │   ├── UnsupportedAudio    not audio, or audio in a form nothing here decodes
    │   ├── TooLarge            more bytes than the limit allows
    │   ├── TooLong             more seconds than the limit allows
    │   └── FetchRefused        an address that may not be read
    ├── ModelUnavailable        missing weights, wrong checksum
    ├── DeviceUnavailable       the device asked for is not in this machine
    ├── EngineUnavailable       the stretching engine asked for is not installed
    ├── OutOfMemory             the smallest piece of work does not fit
    ├── DeviceLost              the device can't be used by this process any more
    ├── StorageFailed           bytes could not be read or written
    ├── FetchFailed             an address that did not give what it should
    ├── ServiceUnavailable      a database or queue that can't be used
    ├── JobTimeout              a job took longer than it may
    ├── LeaseLost               a job is no longer this worker's
    ├── QuotaExceeded           more than the user's tier allows
    ├── InternalError           a fault of ours, or of what we stand on
    └── Canceled                somebody asked to stop

Each class fixes three facts: `code`, the word that JSON and the job table carry; `retryable`,
whether the same work may succeed later without anybody changing anything; and `exit_code`, what
the command line ends with when this error ends the whole run (an error of one file among several
always ends it with 1). The first line of a class's docstring is its message when none is given.
"""

from __future__ import annotations

from typing import ClassVar

EXIT_FAILED = 1
"""Some inputs failed; a summary names them."""

EXIT_USAGE = 2
"""The command was called wrongly."""

EXIT_ENVIRONMENT = 3
"""Something the run needs is not there: weights, a device, a writable folder."""

EXIT_INTERRUPTED = 130
"""Stopped from the keyboard."""


class MashupError(Exception):
    """The work could not be done."""

    code: ClassVar[str] = "failed"
    retryable: ClassVar[bool] = False
    exit_code: ClassVar[int] = EXIT_FAILED

    def __init__(self, message: str | None = None) -> None:
        summary = (type(self).__doc__ or "").partition("\n")[0]
        super().__init__(message or summary)

    @property
    def message(self) -> str:
        """What went wrong, in one line."""
        return str(self.args[0])


class InvalidInput(MashupError):
    """The input can't be used."""

    code = "invalid_input"


class UnknownModel(InvalidInput):
    """No model has this name."""

    code = "unknown_model"
    exit_code = EXIT_USAGE


class UnsupportedAudio(InvalidInput):
    """The file is not audio that can be decoded here."""

    code = "unsupported_audio"


class TooLarge(InvalidInput):
    """The input is larger than the limit."""

    code = "too_large"


class TooLong(InvalidInput):
    """The input lasts longer than the limit."""

    code = "too_long"


class ModelUnavailable(MashupError):
    """The model's weights can't be had."""

    code = "model_unavailable"
    exit_code = EXIT_ENVIRONMENT


class DeviceUnavailable(MashupError):
    """The device is not in this machine."""

    code = "device_unavailable"
    exit_code = EXIT_ENVIRONMENT


class EngineUnavailable(MashupError):
    """The stretching engine is not installed here."""

    code = "engine_unavailable"
    exit_code = EXIT_ENVIRONMENT


class OutOfMemory(MashupError):
    """The device's memory is too small, even for one segment at a time."""

    code = "out_of_memory"
    retryable = True
    exit_code = EXIT_ENVIRONMENT


class DeviceLost(MashupError):
    """The device failed in a way that only a new process recovers from."""

    code = "device_lost"
    retryable = True
    exit_code = EXIT_ENVIRONMENT


class StorageFailed(MashupError):
    """Bytes could not be read or written."""

    code = "storage_failed"
    retryable = True
    exit_code = EXIT_ENVIRONMENT


class FetchRefused(InvalidInput):
    """The address may not be read."""

    code = "fetch_refused"


class FetchFailed(MashupError):
    """The address did not answer as it should."""

    code = "fetch_failed"
    retryable = True


class ServiceUnavailable(MashupError):
    """The database or the queue can't be used."""

    code = "service_unavailable"
    retryable = True
    exit_code = EXIT_ENVIRONMENT


class JobTimeout(MashupError):
    """The job took longer than it may."""

    code = "timeout"
    retryable = True


class LeaseLost(MashupError):
    """The worker did not answer in time, and the job was taken from it."""

    code = "lease_lost"
    retryable = True


class QuotaExceeded(MashupError):
    """The user's tier allows no more of these."""

    code = "quota_exceeded"


class InternalError(MashupError):
    """Something went wrong that nobody foresaw."""

    code = "internal_error"
    retryable = True


class Canceled(MashupError):
    """The work was canceled."""

    code = "canceled"
    exit_code = EXIT_INTERRUPTED
