"""Parameters of the architectures that run here, by the names that their trainers use.

Defaults are those of the networks' constructors in Music-Source-Separation-Training, since configs
leave out what equals them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_MOST = 1 << 20
"""Greatest count; beyond it a network could not be built."""

_MOST_BANDS = 1024

_LONGEST_FRAME = 1 << 16

_REQUIRED = object()


@dataclass(frozen=True)
class Parameter:
    """Parameter of a network.

    Attributes:
        read: return the value of a config in plain form, or raise ValueError.
        default: value where a config names none.
    """

    read: Callable[[Any], Any]
    default: Any = _REQUIRED

    @property
    def is_required(self) -> bool:
        """Whether a config must name it."""
        return self.default is _REQUIRED


def _count(value: Any, least: int = 1, most: int = _MOST) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value:
        raise ValueError(f"not a whole number of at least {least}")
    if value > most:
        raise ValueError(f"more than {most}")
    return value


def _count_or_zero(value: Any) -> int:
    return _count(value, least=0)


def _count_of_bands(value: Any) -> int:
    return _count(value, most=_MOST_BANDS)


def _frame(value: Any) -> int:
    """Read the samples of a frame of the Fourier transform."""
    return _count(value, most=_LONGEST_FRAME)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("neither true nor false")
    return value


def _share(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError("not a number from 0 to 1")
    return float(value)


def _list_of(read: Callable[[Any], Any]) -> Callable[[Any], list[Any]]:
    def read_list(value: Any) -> list[Any]:
        if not isinstance(value, list | tuple) or not value:
            raise ValueError("not a list of values")
        return [read(item) for item in value]

    return read_list


def _factor(value: Any) -> int | float:
    """Read a factor of sizes, which some configs write as a float."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return _count(value)


_ROFORMER: Mapping[str, Parameter] = {
    "dim": Parameter(_count),
    "depth": Parameter(_count),
    "stereo": Parameter(_flag, False),
    "num_stems": Parameter(_count, 1),
    "time_transformer_depth": Parameter(_count, 2),
    "freq_transformer_depth": Parameter(_count, 2),
    "linear_transformer_depth": Parameter(_count_or_zero, 0),
    "dim_head": Parameter(_count, 64),
    "heads": Parameter(_count, 8),
    "stft_n_fft": Parameter(_frame, 2048),
    "stft_hop_length": Parameter(_count, 512),
    "stft_win_length": Parameter(_count, 2048),
    "stft_normalized": Parameter(_flag, False),
    "zero_dc": Parameter(_flag, True),
    "mlp_expansion_factor": Parameter(_factor, 4),
    "skip_connection": Parameter(_flag, False),
    "use_shared_bias": Parameter(_flag, False),
}

_SCNET: Mapping[str, Parameter] = {
    "audio_channels": Parameter(_count, 2),
    "dims": Parameter(_list_of(_count), [4, 32, 64, 128]),
    "nfft": Parameter(_frame, 4096),
    "hop_size": Parameter(_count, 1024),
    "win_size": Parameter(_count, 4096),
    "normalized": Parameter(_flag, True),
    "band_SR": Parameter(_list_of(_share), [0.175, 0.392, 0.433]),
    "band_stride": Parameter(_list_of(_count), [1, 4, 16]),
    "band_kernel": Parameter(_list_of(_count), [3, 4, 16]),
    "conv_depths": Parameter(_list_of(_count_or_zero), [3, 2, 1]),
    "compress": Parameter(_factor, 4),
    "conv_kernel": Parameter(_count, 3),
    "num_dplayer": Parameter(_count, 6),
    "expand": Parameter(_factor, 1),
}

_BANDS_OF_THE_PAPER = [*[2] * 24, *[4] * 12, *[12] * 8, *[24] * 8, *[48] * 8, 128, 129]

PARAMETERS: Mapping[str, Mapping[str, Parameter]] = {
    "bs_roformer": {
        **_ROFORMER,
        "mask_estimator_depth": Parameter(_count, 2),
        "freqs_per_bands": Parameter(_list_of(_count), _BANDS_OF_THE_PAPER),
    },
    "mel_band_roformer": {
        **_ROFORMER,
        "mask_estimator_depth": Parameter(_count, 1),
        "num_bands": Parameter(_count_of_bands, 60),
        "sample_rate": Parameter(_count, 44_100),
    },
    "scnet": _SCNET,
    "scnet_masked": _SCNET,
}
"""Parameters by architecture, then by name."""

WITHOUT_EFFECT = frozenset(
    {
        *("attn_dropout", "ff_dropout", "flash_attn", "sage_attention", "use_torch_checkpoint"),
        *("multi_stft_resolution_loss_weight", "multi_stft_resolutions_window_sizes"),
        *("multi_stft_hop_size", "multi_stft_normalized", "match_input_audio_length"),
        *("dim_freqs_in", "use_shared_bias", "sources"),
    }
)
"""Parameters for training, and those that follow from the weights or from other parameters."""


def read_parameters(architecture: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return all parameters of an architecture in plain form, with defaults.

    A parameter that the architecture lacks here is accepted where it is switched off.

    Raises:
        ValueError: a parameter is missing, invalid, or not supported; the message starts with its
            name.
    """
    known = PARAMETERS[architecture]
    for name, value in given.items():
        if name not in known and name not in WITHOUT_EFFECT and value:
            raise ValueError(f"{name}: not supported for {architecture}")
    parameters = {}
    for name, parameter in known.items():
        value = given.get(name)
        if value is None:
            if parameter.is_required:
                raise ValueError(f"{name}: missing")
            parameters[name] = parameter.default
            continue
        try:
            parameters[name] = parameter.read(value)
        except ValueError as error:
            raise ValueError(f"{name}: {error}: {str(value)[:40]!r}") from None
    return parameters
