"""Read untrusted pickles of torch, by its restricted unpickler.

It builds tensors, plain containers and the classes that the caller names, and calls nothing else.
"""

from __future__ import annotations

import pickle
import re
import warnings
import zipfile
from typing import TYPE_CHECKING, Any

import torch
from numpy import dtype
from numpy._core.multiarray import scalar

from mashup_worker.errors import ModelUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MAX_CHECKPOINT_BYTES = 16 << 30
"""Largest file. With the state of its optimizer, the largest published one has a third of it."""

_NUMBERS_OF_NUMPY: tuple[Any, ...] = (
    dtype,
    *(type(dtype(name)) for name in ("f4", "f8", "i4", "i8", "?")),
    *(scalar, (scalar, "numpy.core.multiarray.scalar")),
)
"""What trainers' notes beside the weights consist of, such as the best score."""

_REFUSED_NAME = re.compile(r"GLOBAL ([\w.]+)")


def unpickle(path: Path, classes: Sequence[type] = ()) -> Any:
    """Return the content of a file that `torch.save` wrote, on the CPU.

    Raises:
        ModelUnavailable: the file is missing, too large, damaged, or contains an object that is
            neither a tensor, a plain value nor of one of the `classes`.
    """
    try:
        if path.stat().st_size > MAX_CHECKPOINT_BYTES:
            raise ModelUnavailable(f"{path}: larger than {MAX_CHECKPOINT_BYTES >> 30} GiB")
        is_archive = zipfile.is_zipfile(path)
        if is_archive:
            _check_archive(path)
        with (
            torch.serialization.safe_globals([*_NUMBERS_OF_NUMPY, *classes]),
            warnings.catch_warnings(action="ignore", category=UserWarning),
        ):
            return torch.load(path, map_location="cpu", weights_only=True, mmap=is_archive)
    except OSError as error:
        raise ModelUnavailable(f"{path}: {error.strerror or error}") from error
    except Exception as error:  # what the unpickler raises on a damaged file is not specified
        if isinstance(error, ModelUnavailable):
            raise
        raise ModelUnavailable(f"{path}: {_reason(error)}") from error


def _check_archive(path: Path) -> None:
    """Refuse compressed entries: torch writes none, and a few bytes may stand for gigabytes."""
    with zipfile.ZipFile(path) as archive:
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
            raise ModelUnavailable(f"{path}: a compressed archive, not a checkpoint of torch")


def _reason(error: Exception) -> str:
    refused = _REFUSED_NAME.search(str(error))
    if isinstance(error, pickle.UnpicklingError) and refused:
        return (
            f"contains {refused[1]}, which is neither a tensor nor a plain value, and could run "
            "code; save the state dict alone"
        )
    return "not a checkpoint of torch, or damaged or truncated"
