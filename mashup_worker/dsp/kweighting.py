"""K-weighting by ITU-R BS.1770-5: two second-order filters that model the ear's response.

The filters are recursive, but need no loop over samples. With the four state variables as a row `s`
and a block of samples as a row `x`, the output of a block and the state after it are linear in
both:

    y = x T + s O        s' = x I + s A

The outputs of all blocks are one matrix product. The states follow by doubling: after k rounds each
includes the 2^k blocks before it, and powers of A soon vanish. The result equals the recursion; no
impulse response is truncated, however long it rings at low rates.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

_SHELF_GAIN = 10 ** (3.99984385397 / 20)
_SHELF_BAND_GAIN = _SHELF_GAIN**0.499666774155
_HIGH_SHELF = 0.7071752369554193, 1681.9744509555319
_HIGH_PASS = 0.5003270373253953, 38.13547087613982
"""Q and frequency in Hz of the analog prototypes. At 48 kHz they reproduce the coefficients that
the recommendation prints. B. De Man, "Evaluation of implementations of the EBU R128 loudness
measurement", AES Convention 145 (2018)."""

LOWEST_RATE_HZ = 3364
"""Below it the shelf lies above half the sample rate, and its design is unstable."""

_BLOCK_SAMPLES = 64
"""Longer blocks cost more products, shorter blocks more states."""

_Matrix: TypeAlias = "np.ndarray[tuple[Any, ...], np.dtype[np.floating[Any]]]"

_STATES = 4
_FORGOTTEN = 1e-9
"""A power of A with entries below this does not change a float32."""


def summing_dtype(device: torch.device) -> torch.dtype:
    """Return float32, or float64 on CUDA, where settings for fast products affect float32."""
    return torch.float64 if device.type == "cuda" else torch.float32


class KWeighting:
    """K-weighting filter for a signal that arrives in pieces, on the device of its samples.

    Raises:
        ValueError: the sample rate is below `LOWEST_RATE_HZ`.
    """

    def __init__(self, sample_rate: int) -> None:
        if sample_rate < LOWEST_RATE_HZ:
            raise ValueError(
                f"no K-weighting at {sample_rate} Hz; it needs {LOWEST_RATE_HZ} or more"
            )
        self._sample_rate = sample_rate
        self._state: Tensor | None = None

    def push(self, samples: Tensor) -> Tensor:
        """Return the next samples `(..., samples)` weighted; silence precedes the first."""
        system = _system(self._sample_rate, samples.device)
        rows = samples.detach().flatten(0, -2) if samples.ndim > 1 else samples.detach()[None]
        rows = rows.to(system.block.dtype)
        if self._state is None:
            self._state = rows.new_zeros(len(rows), _STATES)
        whole = rows.shape[1] - rows.shape[1] % _BLOCK_SAMPLES
        weighted, state = system.weight_blocks(rows[:, :whole], self._state)
        if whole < rows.shape[1]:
            rest, state = system.weight_rest(rows[:, whole:], state)
            weighted = torch.cat([weighted, rest], dim=1)
        self._state = state
        return weighted.view(samples.shape)


@dataclass(frozen=True, eq=False, kw_only=True)
class _System:
    """Matrices of the filters for blocks of `size` samples, for row vectors.

    States are scaled so that the ringing after a block has the energy of its state. They then
    neither grow nor cancel, which float32 needs at high rates. `block` is `[T I]`, `output` O,
    `step` the A of one sample, and `powers` A, its square, the square of that, until they vanish.
    """

    block: Tensor
    output: Tensor
    step: Tensor
    powers: tuple[Tensor, ...]

    def weight_blocks(self, rows: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Weight whole blocks, shape `(rows, blocks * size)`; return them and the last state."""
        size = len(self.block)
        products = rows.reshape(-1, size) @ self.block
        gained = products[:, size:].reshape(len(rows), -1, _STATES)
        states = torch.cat([state[:, None], gained], dim=1)
        reach = 1
        for power in self.powers:
            if reach >= states.shape[1]:
                break
            states[:, reach:] += states[:, :-reach] @ power
            reach *= 2
        weighted = products[:, :size].addmm_(states[:, :-1].flatten(0, 1), self.output)
        return weighted.reshape(rows.shape), states[:, -1]

    def weight_rest(self, rows: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Weight less than a block, shape `(rows, samples)`; return it and the last state."""
        length, size = rows.shape[1], len(self.block)
        weighted = rows @ self.block[:length, :length] + state @ self.output[:, :length]
        gained = rows @ self.block[size - length :, size:]
        return weighted, gained + state @ torch.linalg.matrix_power(self.step, length)


@lru_cache(maxsize=32)
def _system(sample_rate: int, device: torch.device) -> _System:
    """Return the matrices, read from the responses to each single sample and state."""
    size = _BLOCK_SAMPLES
    _, after_sample = _answers(sample_rate, 1)
    outputs, after = _answers(sample_rate, size)
    ringing, transition = outputs[size:], after[size:]
    # The energy X of the ringing solves X = A X Aᵀ + R Rᵀ.
    equations = np.eye(_STATES**2) - np.kron(transition, transition)
    energies = np.linalg.solve(equations, (ringing @ ringing.T).ravel())
    scale = np.linalg.cholesky(energies.reshape(_STATES, _STATES))
    block = np.concatenate([outputs[:size], after[:size] @ scale], axis=1)
    step, power = (np.linalg.solve(scale, a @ scale) for a in (after_sample[1:], transition))
    powers = [power]
    while np.abs(power := power @ power).max() > _FORGOTTEN:
        powers.append(power)

    def tensor(matrix: _Matrix) -> Tensor:
        return torch.from_numpy(matrix).to(device, summing_dtype(device))

    output = np.linalg.solve(scale, ringing)
    return _System(
        block=tensor(block),
        output=tensor(output),
        step=tensor(step),
        powers=tuple(map(tensor, powers)),
    )


def _answers(sample_rate: int, length: int) -> tuple[_Matrix, _Matrix]:
    """Return outputs and final states of the filters for unit samples, then for unit states."""
    signals = np.eye(length + _STATES, length)
    states = np.eye(length + _STATES, _STATES, -length)
    for number, (b, a) in enumerate(_sections(sample_rate)):
        first, second = states[:, 2 * number : 2 * number + 2].T  # views
        for column in signals.T:  # transposed direct form II, one sample of all signals at a time
            out = b[0] * column + first
            first[:] = b[1] * column - a[1] * out + second
            second[:] = b[2] * column - a[2] * out
            column[:] = out
    return signals, states


def _sections(sample_rate: int) -> tuple[tuple[_Matrix, _Matrix], tuple[_Matrix, _Matrix]]:
    """Return numerator and denominator of the high shelf and of the high-pass filter.

    The prototypes are `(G s² + B s / Q + 1) / (s² + s / Q + 1)` and `s² / (s² + s / Q + 1)`, with
    s relative to the filter's frequency. The bilinear transform replaces s by
    `(1 - z⁻¹) / (K (1 + z⁻¹))`, with `K = tan(π frequency / rate)`. The recommendation does not
    normalize the numerator of the high-pass.
    """
    (shelf_q, shelf_hz), (pass_q, pass_hz) = _HIGH_SHELF, _HIGH_PASS
    shelf = _bilinear(_SHELF_GAIN, _SHELF_BAND_GAIN, shelf_q, shelf_hz / sample_rate)
    shelf_poles = _bilinear(1.0, 1.0, shelf_q, shelf_hz / sample_rate)
    pass_poles = _bilinear(1.0, 1.0, pass_q, pass_hz / sample_rate)
    return (
        (shelf / shelf_poles[0], shelf_poles / shelf_poles[0]),
        (np.array([1.0, -2.0, 1.0]), pass_poles / pass_poles[0]),
    )


def _bilinear(square: float, linear: float, q: float, cycles_per_sample: float) -> _Matrix:
    """Transform `square s² + linear s / Q + 1`; return the coefficients of z⁰, z⁻¹ and z⁻²."""
    k = np.tan(np.pi * cycles_per_sample)
    middle = linear * k / q
    return np.array([square + middle + k * k, 2 * (k * k - square), square - middle + k * k])
