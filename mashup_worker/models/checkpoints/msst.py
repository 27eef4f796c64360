"""Configurations of Music-Source-Separation-Training ("MSST"), and of SCNet's author.

A configuration names an architecture, its parameters, and how songs are cut for it:

    model_type                       architecture; else the keys of `model` decide
    model                            parameters
    audio.sample_rate, num_channels  form of the audio
    audio.chunk_size                 samples of a segment; `inference.chunk_size` goes before it
    inference.num_overlap            segments that cover a sample
    inference.normalize              whether songs are scaled to zero mean and unit deviation
    training.instruments             stems, in the order of the network's output
    training.target_instrument       the only stem that the network computes

SCNet's author has `data` in place of `audio`, `inference` and `training`, and cuts as Demucs does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from mashup_worker.errors import ModelUnavailable
from mashup_worker.models.checkpoints.parameters import PARAMETERS, read_parameters
from mashup_worker.models.network import NetworkProfile
from mashup_worker.models.segments import Cut
from mashup_worker.models.stem_names import STEM_NAME_RULE, is_stem_name

MAX_SEGMENT_S = 120

MAX_SPECTROGRAM = 1 << 26
"""Most samples in all frames of a segment; those of published networks have some millions."""

_NAMES_OF_ROFORMERS = ("stft_n_fft", "stft_hop_length", "stft_win_length")
_NAMES_OF_SCNET = ("nfft", "hop_size", "win_size")
"""Parameters of the Fourier transform: samples of a frame, between frames, and of the window."""

_DEFAULT_SAMPLE_RATE, _DEFAULT_OVERLAP = 44_100, 2
_SCNET_AUTHORS_OVERLAP = 0.5

_REST = dict.fromkeys(("instrumental", "accompaniment", "no_vocals"), "other")
"""What trainers call all but the vocals, by the name that this package gives it."""

_SIGNS = {
    "num_bands": "mel_band_roformer",
    "freqs_per_bands": "bs_roformer",
    "time_transformer_depth": "bs_roformer",
    "band_SR": "scnet",
    "dims": "scnet",
}
"""Keys of `model` that only one architecture has, the most telling first."""

_DEMUCS = ("htdemucs", "hdemucs", "demucs")
"""Classes of the `demucs` package, in lower case."""

_RUNS = f"those that do: {', '.join((*PARAMETERS, *_DEMUCS))}"


@dataclass(frozen=True)
class NetworkDefinition:
    """Network without its weights.

    Attributes:
        architecture: key of `PARAMETERS`.
        parameters: plain values by the names that trainers use, defaults included.
        profile: how songs are cut for it, and its stems.
    """

    architecture: str
    parameters: Mapping[str, Any]
    profile: NetworkProfile


class _Config:
    """Values of a configuration by section and key."""

    def __init__(self, values: Mapping[str, Any], where: str) -> None:
        self._values, self._where = values, where

    def refusal(self, problem: str) -> ModelUnavailable:
        """Return the error for a problem, which starts with the key."""
        return ModelUnavailable(f"{self._where}: {problem}")

    def section(self, name: str) -> Mapping[str, Any]:
        found = self._values.get(name)
        if found is not None and not isinstance(found, Mapping):
            raise self.refusal(f"{name}: not a mapping of keys")
        return found or {}

    def get(self, *keys: str) -> tuple[str, Any]:
        """Return the first of `section.key` that has a value; the last one with None otherwise."""
        for key in keys:
            section, _, name = key.partition(".")
            value = self.section(section).get(name)
            if value is not None:
                return key, value
        return keys[-1], None

    def count(self, *keys: str, default: int | None = None, most: int) -> int:
        """Return a whole number of at least 1 and at most `most`."""
        key, value = self.get(*keys)
        if value is None:
            value = default
        if value is None:
            raise self.refusal(f"{key}: missing")
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
            raise self.refusal(f"{key}: not a whole number from 1 to {most}: {str(value)[:40]!r}")
        return value

    def seconds(self, key: str) -> Fraction:
        """Return a duration."""
        _, value = self.get(key)
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not 0 < value <= MAX_SEGMENT_S
        ):
            raise self.refusal(
                f"{key}: not a duration up to {MAX_SEGMENT_S} s: {str(value)[:40]!r}"
            )
        return Fraction(str(value))

    def stems(self, key: str) -> tuple[str, ...]:
        """Return a list of stems in this package's spelling."""
        _, names = self.get(key)
        if not isinstance(names, list | tuple) or not names:
            raise self.refusal(f"{key}: not a list of stems")
        stems = tuple(self.stem(name, key) for name in names)
        if len(set(stems)) != len(stems):
            raise self.refusal(f"{key}: the same stem twice")
        return stems

    def stem(self, name: object, key: str) -> str:
        """Return the name of a stem in this package's spelling; files will have it."""
        text = str(name).lower().replace(" ", "_")
        stem = _REST.get(text, text)
        if not is_stem_name(stem):
            raise self.refusal(f"{key}: not a name of a stem: {str(name)[:40]!r}; {STEM_NAME_RULE}")
        return stem


def read_definition(values: Mapping[str, Any], where: str) -> NetworkDefinition:
    """Return the network that a configuration describes; `where` names it in messages.

    Raises:
        ModelUnavailable: a key is missing or invalid, or its value is not supported here.
    """
    config = _Config(values, where)
    architecture = _architecture(config, values)
    try:
        parameters = read_parameters(architecture, config.section("model"))
    except ValueError as error:
        raise config.refusal(f"model.{error}") from error
    if "data" in values and "training" not in values:
        profile = _profile_of_scnets_author(config, architecture, parameters)
    else:
        profile = _profile(config, parameters)
    _check_parameters(config, parameters, profile)
    return NetworkDefinition(architecture, parameters, profile)


_READ = {
    "model": None,
    "model_type": None,
    "audio": ("sample_rate", "num_channels", "chunk_size"),
    "inference": ("chunk_size", "num_overlap", "normalize"),
    "training": ("instruments", "target_instrument", "model_type"),
    "data": ("samplerate", "segment", "channels", "normalize"),
}
"""Keys that `read_definition` reads; None for all keys of a section."""


def essentials(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a configuration that `read_definition` reads."""
    return {
        section: values[section]
        if keys is None
        else {key: values[section][key] for key in keys if key in values[section]}
        for section, keys in _READ.items()
        if (keys is None and section in values) or isinstance(values.get(section), Mapping)
    }


def demucs_options(values: Mapping[str, Any], where: str) -> tuple[str, dict[str, Any]] | None:
    """Return the class of `demucs`, in lower case, and its arguments; None for other networks.

    MSST stores the arguments in a section with the name of the class, and runs such networks in its
    own way; here they run as Demucs does.

    Raises:
        ModelUnavailable: a key is missing or invalid.
    """
    name = values.get("model")
    if name not in _DEMUCS:
        return None
    config = _Config(values, where)
    most = 384_000
    options = {
        **config.section(name),
        "sources": list(config.stems("training.instruments")),
        "audio_channels": config.count("training.channels", default=2, most=2),
        "samplerate": config.count("training.samplerate", default=_DEFAULT_SAMPLE_RATE, most=most),
        "segment": config.seconds("training.segment"),
    }
    return name, options


def is_config(values: Mapping[str, Any]) -> bool:
    """Return whether a YAML mapping is a configuration of a network, and not of a bag."""
    return "model" in values and "models" not in values


def _architecture(config: _Config, values: Mapping[str, Any]) -> str:
    stated = values.get("model_type") or config.get("training.model_type")[1]
    if stated is None and isinstance(values.get("model"), str):
        stated = values["model"]
    if stated is not None:
        if not isinstance(stated, str) or stated not in PARAMETERS:
            raise config.refusal(f"model_type: {str(stated)[:40]!r} does not run here; {_RUNS}")
        return stated
    keys = config.section("model")
    found = next((name for key, name in _SIGNS.items() if key in keys), None)
    if found is None:
        shown = ", ".join(map(str, list(keys)[:4]))[:80]
        raise config.refusal(
            f"model: no architecture that runs here has {shown or 'no keys'}; {_RUNS}"
        )
    return found


def _profile(config: _Config, parameters: Mapping[str, Any]) -> NetworkProfile:
    sample_rate = config.count("audio.sample_rate", default=_DEFAULT_SAMPLE_RATE, most=384_000)
    segment_samples = config.count(
        "inference.chunk_size", "audio.chunk_size", most=MAX_SEGMENT_S * sample_rate
    )
    overlap = config.count("inference.num_overlap", default=_DEFAULT_OVERLAP, most=64)
    stems, complement = _stems(config)
    return NetworkProfile(
        stems=stems,
        sample_rate=sample_rate,
        channels=config.count("audio.num_channels", default=_channels(parameters), most=2),
        segment_samples=segment_samples,
        cut=Cut.msst(segment_samples, overlap),
        normalization="song" if config.get("inference.normalize")[1] is True else "none",
        complement=complement,
    )


def _stems(config: _Config) -> tuple[tuple[str, ...], str | None]:
    """Return the stems that the network computes, and the stem that is the rest of the mix."""
    stems = config.stems("training.instruments")
    key, target = config.get("training.target_instrument")
    if not target:
        return stems, None
    target = config.stem(target, key)
    if target not in stems:
        raise config.refusal(f"{key}: not one of training.instruments: {target!r}")
    rest = [stem for stem in stems if stem != target]
    return (target,), rest[0] if len(rest) == 1 else None


def _profile_of_scnets_author(
    config: _Config, architecture: str, parameters: Mapping[str, Any]
) -> NetworkProfile:
    if architecture != "scnet":
        raise config.refusal("training: missing")
    sample_rate = config.count("data.samplerate", most=384_000)
    segment_samples = sample_rate * config.count("data.segment", most=MAX_SEGMENT_S)
    return NetworkProfile(
        stems=config.stems("model.sources"),
        sample_rate=sample_rate,
        channels=config.count("data.channels", default=_channels(parameters), most=2),
        segment_samples=segment_samples,
        cut=Cut.demucs(segment_samples, _SCNET_AUTHORS_OVERLAP),
        normalization="song" if config.get("data.normalize")[1] is True else "none",
    )


def _channels(parameters: Mapping[str, Any]) -> int:
    if "audio_channels" in parameters:
        return int(parameters["audio_channels"])
    return 2 if parameters["stereo"] else 1


def _check_parameters(
    config: _Config, parameters: Mapping[str, Any], profile: NetworkProfile
) -> None:
    """Check what must agree between the sections."""
    made = parameters.get("num_stems", len(config.section("model").get("sources") or profile.stems))
    if made != len(profile.stems):
        raise config.refusal(
            f"training.instruments: {len(profile.stems)} stems are computed, but the model has "
            f"{made}"
        )
    if profile.channels != _channels(parameters):
        raise config.refusal(f"audio.num_channels: {profile.channels}, but the model has another")
    frame, hop, window = next(
        names for names in (_NAMES_OF_ROFORMERS, _NAMES_OF_SCNET) if names[0] in parameters
    )
    if parameters[window] > parameters[frame]:
        raise config.refusal(f"model.{window}: {parameters[window]}, more than {frame}")
    frames = 1 + profile.segment_samples // parameters[hop]
    if frames * parameters[frame] > MAX_SPECTROGRAM:
        raise config.refusal(
            f"model.{hop}: {parameters[hop]} makes {frames} frames of {parameters[frame]} samples "
            f"of a segment; at most {MAX_SPECTROGRAM} samples are supported"
        )
    bands = parameters.get("freqs_per_bands")
    if bands is not None and sum(bands) != parameters["stft_n_fft"] // 2 + 1:
        raise config.refusal(
            f"model.freqs_per_bands: {sum(bands)} frequencies, but stft_n_fft gives "
            f"{parameters['stft_n_fft'] // 2 + 1}"
        )
