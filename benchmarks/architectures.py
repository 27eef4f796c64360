"""Time of one segment by the networks of several architectures, against `pymss-core` on a CPU.

    python -m benchmarks.architectures [--rounds 3] [scnet scnet_large kim_vocals]

Networks have the published shapes and random weights. Both implementations run in turn in one
process, and the table has the medians of their rounds. Processor time is shown beside the time on
the clock, since it depends less on what else the machine does.
"""

from __future__ import annotations

import argparse
import time
import warnings
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING

import torch
from pymss_core.modules.bs_roformer.mel_band_roformer import MelBandRoformer
from pymss_core.modules.scnet.scnet import SCNet

from benchmarks.results import publish, table
from mashup_worker.bench import music
from mashup_worker.bench.networks import CONFIGURED, ConfiguredNetwork, random_configured
from mashup_worker.dsp.metrics import snr_db

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor


@dataclass
class Contender:
    """Implementation of a network, and its rounds: seconds on the clock and of processors."""

    name: str
    run: Callable[[Tensor], Tensor]
    rounds: list[tuple[float, float]] = field(default_factory=list)
    made: Tensor | None = None

    def round(self, segment: Tensor) -> None:
        """Run the segment once."""
        wall_s, used_s = time.perf_counter(), time.process_time()
        self.made = self.run(segment)
        self.rounds.append((time.perf_counter() - wall_s, time.process_time() - used_s))

    def times_s(self) -> tuple[float, float]:
        """Return the medians of the rounds, on the clock and of processors."""
        wall_s, used_s = zip(*self.rounds[1:], strict=True)  # the first one warms up
        return median(wall_s), median(used_s)


def main() -> None:
    """Measure, print, and write `benchmarks/results/architectures.md`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("models", nargs="*", default=[*CONFIGURED])
    arguments = parser.parse_args()
    rows = [row for name in arguments.models for row in measure(name, arguments.rounds)]
    headings = ("model", "engine", "s a segment", "processor s", "times pymss-core", "SNR to it")
    publish("architectures", f"Threads: {torch.get_num_threads()}.", table(headings, rows))


def measure(name: str, rounds: int) -> list[Sequence[str]]:
    """Return the lines of a model."""
    network = random_configured(name)
    samples = network.definition.profile.segment_samples
    segment = music.song(samples / 44_100 + 1).samples[None, :, :samples]
    contenders = [
        Contender("pymss-core 0.1.14, fp32", reference(network)),
        Contender("mashup-worker, fp32", network.build()),
        Contender("mashup-worker, bf16", half(network)),
    ]
    with torch.no_grad(), warnings.catch_warnings(action="ignore", category=UserWarning):
        for _ in range(rounds + 1):
            for one in contenders:
                one.round(segment)
    theirs = contenders[0]
    assert theirs.made is not None
    rows: list[Sequence[str]] = []
    for one in contenders:
        assert one.made is not None
        made = one.made.view_as(theirs.made)  # pymss-core drops an axis of one stem
        wall_s, used_s = one.times_s()
        ratio = theirs.times_s()[1] / used_s
        ratio_db = "" if one is theirs else f"{snr_db(made, theirs.made):.0f} dB"
        rows.append((name, one.name, f"{wall_s:.1f}", f"{used_s:.2f}", f"{ratio:.2f}", ratio_db))
    return rows


def reference(network: ConfiguredNetwork) -> Callable[[Tensor], Tensor]:
    """Return the network of `pymss-core` with the same weights."""
    parameters = dict(network.definition.parameters)
    if network.definition.architecture == "mel_band_roformer":
        del parameters["use_shared_bias"]
        made = MelBandRoformer(
            **parameters | {"match_input_audio_length": True},
            mlp_hidden_layers=parameters["mask_estimator_depth"],
        )
    else:
        made = SCNet(sources=list(network.definition.profile.stems), **parameters)
    made.load_state_dict(network.state)
    run: Callable[[Tensor], Tensor] = made.eval()
    return run


def half(network: ConfiguredNetwork) -> Callable[[Tensor], Tensor]:
    """Return this package's network with products in bf16."""
    made = network.build()
    assert made.core is not None
    made.core.cast(torch.bfloat16)
    return made


if __name__ == "__main__":
    main()
