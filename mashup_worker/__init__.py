"""Separate songs into stems, analyze them, and make and master mashups, on your own GPUs.

    import mashup_worker as mw

    stems = mw.load_model("auto").separate("song.mp3")
    stems["vocals"].save("vocals.wav")

Names are imported when they are first used (PEP 562), so `import mashup_worker` loads no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mashup_worker.analysis.result import Analysis as Analysis
    from mashup_worker.audio.signal import Audio as Audio
    from mashup_worker.errors import Canceled as Canceled
    from mashup_worker.errors import DeviceUnavailable as DeviceUnavailable
    from mashup_worker.errors import InvalidInput as InvalidInput
    from mashup_worker.errors import MashupError as MashupError
    from mashup_worker.errors import ModelNotAllowed as ModelNotAllowed
    from mashup_worker.errors import ModelUnavailable as ModelUnavailable
    from mashup_worker.errors import OutOfMemory as OutOfMemory
    from mashup_worker.errors import StorageFailed as StorageFailed
    from mashup_worker.errors import UnknownModel as UnknownModel
    from mashup_worker.errors import UnsupportedAudio as UnsupportedAudio
    from mashup_worker.pipelines.mashup.make import MashupResult as MashupResult
    from mashup_worker.pipelines.master import MasterResult as MasterResult
    from mashup_worker.pipelines.separation.separate import SeparateResult as SeparateResult
    from mashup_worker.public import Model as Model
    from mashup_worker.public import analyze as analyze
    from mashup_worker.public import load_audio as load_audio
    from mashup_worker.public import load_model as load_model
    from mashup_worker.public import mashup as mashup
    from mashup_worker.public import master as master
    from mashup_worker.public_exports import export as export

__version__ = "0.1.0"

_MODULES = {
    "Analysis": "analysis.result",
    "Audio": "audio.signal",
    "Canceled": "errors",
    "DeviceUnavailable": "errors",
    "InvalidInput": "errors",
    "MashupError": "errors",
    "MashupResult": "pipelines.mashup.make",
    "MasterResult": "pipelines.master",
    "Model": "public",
    "ModelNotAllowed": "errors",
    "ModelUnavailable": "errors",
    "OutOfMemory": "errors",
    "SeparateResult": "pipelines.separation.separate",
    "StorageFailed": "errors",
    "UnknownModel": "errors",
    "UnsupportedAudio": "errors",
    "analyze": "public",
    "export": "public_exports",
    "load_audio": "public",
    "load_model": "public",
    "mashup": "public",
    "master": "public",
}

__all__ = ["__version__", *_MODULES]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
