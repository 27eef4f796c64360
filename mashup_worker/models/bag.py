"""Networks whose outputs are averaged, with a weight for each stem."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mashup_worker.models.each_channel import stereo

if TYPE_CHECKING:
    from demucs.apply import BagOfModels

    from mashup_worker.models.network import NetworkProfile, SeparationNetwork


@dataclass(frozen=True, eq=False)
class Bag:
    """Networks that compute the same stems, and their weights.

    An engine takes a bag over: it casts and moves the networks in place.

    Attributes:
        weights: for each network, the weight of each stem of the profile, in any scale.

    Raises:
        ValueError: the networks do not fit together, or no network has weight for a stem.
    """

    members: tuple[SeparationNetwork, ...]
    weights: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        first = self.profile
        for member in self.members:
            one = member.profile
            same = (
                (one.all_stems, one.sample_rate, one.channels, one.normalization)
                == (first.all_stems, first.sample_rate, first.channels, first.normalization)
            )  # fmt: skip
            if not same:
                raise ValueError("the networks do not fit together")
        if [len(weights) for weights in self.weights] != [len(first.stems)] * len(self.members):
            raise ValueError("a bag needs a weight for each network and stem")
        if not all(map(sum, zip(*self.weights, strict=True))):
            raise ValueError("no network has weight for a stem")

    @property
    def profile(self) -> NetworkProfile:
        """Profile of the first network; the others may cut songs in another way."""
        return self.members[0].profile

    @classmethod
    def of(cls, network: SeparationNetwork) -> Bag:
        """Return the bag of one network; a mono network separates each channel."""
        return cls((stereo(network),), (tuple(1.0 for _ in network.profile.stems),))

    @classmethod
    def of_demucs(cls, bag: BagOfModels) -> Bag:
        """Return the networks of the `demucs` package, converted where they can be."""
        from mashup_worker.models.htdemucs.convert import converted  # imports demucs

        return cls(
            tuple(stereo(converted(network)) for network in bag.models),
            tuple(tuple(float(weight) for weight in weights) for weights in bag.weights),
        )
