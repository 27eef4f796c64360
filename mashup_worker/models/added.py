"""Models that users added to the cache: checkpoints that describe themselves, and recipes.

Of checkpoints only the headers are read, without torch. Both are untrusted, and a damaged one is no
model.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mashup_worker.errors import InvalidInput, ModelUnavailable
from mashup_worker.licenses import NO_STATEMENT, license_as_stated
from mashup_worker.models.catalogue import Model
from mashup_worker.models.checkpoints.config import read_config
from mashup_worker.models.digests import MANIFEST

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

CONFIG = "config"
"""Entry of a header: the configuration of the network as JSON; networks of Demucs have none."""

_ARCHITECTURES = {
    "bs_roformer": "BS-RoFormer",
    "mel_band_roformer": "Mel-Band RoFormer",
    "scnet": "SCNet",
    "scnet_masked": "SCNet, masked",
    "HTDemucs": "Hybrid Transformer Demucs",
    "HDemucs": "Hybrid Demucs",
}
"""Architectures as the catalogue names them, by the name in a header."""

_MAX_HEADER_BYTES = 100 << 20
"""Longest header that the safetensors library reads."""


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where an added checkpoint comes from.

    Attributes:
        file: name of the file that was added.
        sha256: SHA-256 of that file.
        license: license as the user stated it; None for no statement.
        source: address that the user stated.
        added_on: date, `YYYY-MM-DD`.
    """

    file: str
    sha256: str
    license: str | None = None
    source: str = ""
    added_on: str = ""


def header_of(origin: Origin, stems: tuple[str, ...], parameters: int) -> dict[str, str]:
    """Return the entries of a header from which `added_models` makes a model."""
    return {
        "original_file": origin.file,
        "original_sha256": origin.sha256,
        "license": origin.license or "",
        "license_source": origin.source,
        "added_on": origin.added_on,
        "stems": json.dumps(stems),
        "parameter_count": str(parameters),
    }


def added_models(cache: Path) -> dict[str, Model]:
    """Return the added models in a cache by name, sorted."""
    try:
        folders = sorted(path for path in cache.iterdir() if (path / MANIFEST).is_file())
    except OSError:
        return {}
    found = ((folder.name, added_model(folder)) for folder in folders)
    return {name: model for name, model in found if model is not None}


def added_model(folder: Path) -> Model | None:
    """Return the model that was added as `folder`, or None.

    Of a recipe, `WeightStore.models` completes license and size, which depend on other models.
    """
    path = folder / f"{folder.name}.safetensors"
    if not path.is_file():
        return _added_recipe(folder)
    try:
        header = read_header(path)
        stems = json.loads(header["stems"])
        terms = license_as_stated(
            header["license"] or None, header["license_source"], header["added_on"]
        )
        return Model(
            folder.name,
            tuple(str(stem) for stem in stems),
            f"added from {header['original_file']}",
            terms,
            parameters=int(header["parameter_count"]),
            size_bytes=path.stat().st_size,
            training_data="not stated",
            architecture=_architecture(header),
        )
    except (OSError, KeyError, TypeError, ValueError, InvalidInput):
        return None


def _added_recipe(folder: Path) -> Model | None:
    from mashup_worker.models.recipes.document import read_recipe  # imports pydantic

    path = folder / f"{folder.name}.yaml"
    try:
        recipe = read_recipe(read_config(path), str(path))
    except ModelUnavailable:
        return None
    return Model(
        folder.name,
        recipe.stems,
        f"recipe of {', '.join(recipe.models)}",
        NO_STATEMENT,
        parameters=0,
        size_bytes=0,
        architecture="recipe",
        training_data="that of its models",
        recipe=recipe,
    )


def _architecture(header: Mapping[str, str]) -> str:
    name = header.get("architecture") or header.get("klass", "").rpartition(".")[2]
    return _ARCHITECTURES.get(name, name)


def read_header(path: Path) -> Mapping[str, str]:
    """Return the metadata of a safetensors file; empty without any.

    Raises:
        OSError: the file cannot be read.
        ValueError: the file is damaged.
    """
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > _MAX_HEADER_BYTES:
            raise ValueError(f"{path}: not safetensors")
        try:
            header = json.loads(file.read(length))
        except RecursionError as error:
            raise ValueError(f"{path}: nested too deeply") from error
    metadata = header.get("__metadata__", {}) if isinstance(header, dict) else None
    if not isinstance(metadata, dict):
        raise ValueError(f"{path}: not safetensors")
    return metadata
