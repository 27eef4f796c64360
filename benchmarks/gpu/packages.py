"""Packages that the steps import, found by tracing their imports."""

from __future__ import annotations

import importlib.util

NEEDED: dict[str, str] = {
    "torch": "torch",
    "torchaudio": "torchaudio",
    "numpy": "numpy",
    "scipy": "scipy",
    "demucs": "demucs",
    "julius": "julius",
    "einops": "einops",
    "tqdm": "tqdm",
    "PyYAML": "yaml",
    "safetensors": "safetensors",
    "lameenc": "lameenc",
    "soundfile": "soundfile",
    "cffi": "_cffi_backend",
    "soxr": "soxr",
    "librosa": "librosa",
    "lazy-loader": "lazy_loader",
    "numba": "numba",
    "scikit-learn": "sklearn",
    "pooch": "pooch",
    "audioread": "audioread",
    "python-stretch": "python_stretch",
    "pydantic": "pydantic",
    "pydantic-core": "pydantic_core",
    "pydantic-settings": "pydantic_settings",
    "python-dotenv": "dotenv",
    "annotated-types": "annotated_types",
    "typing-inspection": "typing_inspection",
    "typing-extensions": "typing_extensions",
    "packaging": "packaging",
    "typer": "typer",
    "rich": "rich",
}
"""By distribution, the module that it is imported by."""

OF_TESTS: dict[str, str] = {
    "pytest": "pytest",
    "hypothesis": "hypothesis",
    "pyloudnorm": "pyloudnorm",
}
"""The same, of the tests that need a GPU; files that lack one fail to be collected."""

PEER = "unblend"


def missing() -> list[str]:
    """Return the distributions that this interpreter lacks, optional ones with their use."""
    needed = [name for name, module in NEEDED.items() if not is_importable(module)]
    of_tests = [f"{name} (tests)" for name, module in OF_TESTS.items() if not is_importable(module)]
    peer = [] if is_importable(PEER) else [f"{PEER} (comparison)"]
    return [*needed, *of_tests, *peer]


def is_importable(module: str) -> bool:
    """Return whether a top-level module can be found."""
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False
