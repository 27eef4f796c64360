"""Separator of a recipe: its models one after another, and beside each other."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from mashup_worker.errors import InvalidInput
from mashup_worker.licenses import combined
from mashup_worker.models.combine import combine
from mashup_worker.models.recipes.growing import GrowingStems, Remainder
from mashup_worker.models.streams import upload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from torch import Tensor

    from mashup_worker.audio.signal import SampleSource
    from mashup_worker.models.recipes.recipe import Recipe, Step
    from mashup_worker.models.separator import OnShare, Separator


class RecipeSeparator:
    """Models of a recipe on one device. Implements `Separator`.

    A later step reads what the steps before leave of the song as soon as it is finished.
    """

    weights_sha256: str | None = None

    def __init__(self, name: str, recipe: Recipe, models: Mapping[str, Separator]) -> None:
        """Check that the models fit the recipe and each other.

        Raises:
            InvalidInput: a model lacks a stem, or has another sample rate or channel count.
        """
        first = next(iter(models.values()))
        self.name = name
        self.license = combined(model.license for model in models.values())
        self.stems = recipe.stems
        self.sample_rate, self.channels = first.sample_rate, first.channels
        self.device, self.precision = first.device, first.precision
        self.residual_stem = recipe.remainder
        self._recipe, self._models = recipe, models
        for key, model in models.items():
            if (model.sample_rate, model.channels) != (first.sample_rate, first.channels):
                raise InvalidInput(
                    f"{name}: {key} works at {model.sample_rate} Hz in {model.channels} channels, "
                    f"and {next(iter(models))} at {first.sample_rate} Hz in {first.channels}"
                )
        for step in recipe.steps:
            for member in step.members:
                has = models[member.model].stems
                for stem, weight in member.weights.items():
                    if weight and stem not in has:
                        raise InvalidInput(
                            f"{name}: {member.model} makes no stem {stem!r}: it makes "
                            f"{', '.join(has)}"
                        )

    @property
    def is_compiled(self) -> bool:
        """Whether every network has run, and each run of its core was compiled."""
        return all(getattr(model, "is_compiled", False) for model in self._models.values())

    def warm_up(self) -> None:
        """See `Separator.warm_up`."""
        for model in self._models.values():
            model.warm_up()

    def stream(
        self,
        mix: SampleSource,
        stems: Sequence[str] | None = None,
        *,
        on_progress: OnShare | None = None,
        on_device: bool = False,
    ) -> Iterator[Tensor]:
        """Separate `mix`; see `Separator.stream`."""
        wanted = self.stems if stems is None else tuple(stems)
        for stem in wanted:
            if stem not in self.stems:
                raise InvalidInput(
                    f"{self.name} makes no stem {stem!r}: it makes {', '.join(self.stems)}"
                )
        if not mix.length_samples:
            return
        whole = self.residual_stem in wanted
        needed = [
            stem for stem in self.stems if (whole or stem in wanted) and stem != self.residual_stem
        ]
        *earlier, (last, last_stems) = self._steps(needed)
        progress = _Progress(
            sum(len(_active(step, made)) for step, made in (*earlier, (last, last_stems))),
            on_progress,
        )
        stays = mix.read(0, 0).device.type != "cpu"
        with ExitStack() as stack:
            sound, finished = mix, []
            for step, made in earlier:
                blocks = self._step(step, made, sound, progress, on_device=stays)
                finished.append(GrowingStems(made, blocks, mix, stack))
                sound = Remainder(sound, finished[-1])
            position = 0
            for block in self._step(last, last_stems, sound, progress, on_device=stays):
                stop = position + block.shape[-1]
                parts = dict(zip(last_stems, block, strict=True))
                for one in finished:
                    if not set(needed).isdisjoint(one.stems):
                        parts |= zip(one.stems, one.read(position, stop), strict=True)
                if self.residual_stem is not None and whole:
                    others = torch.stack([parts[stem] for stem in needed])
                    parts[self.residual_stem] = mix.read(position, stop) - others.sum(0)
                result = torch.stack([parts[stem] for stem in wanted])
                position = stop
                yield upload(result, torch.device(self.device)) if on_device else result.cpu()

    def _steps(self, needed: list[str]) -> list[tuple[Step, tuple[str, ...]]]:
        """Return the steps that these stems need, with the stems that each must compute.

        Every step but the last takes all of its stems from the sound for the next one.
        """
        steps = self._recipe.steps
        count = max(n for n, step in enumerate(steps, 1) if not set(needed).isdisjoint(step.stems))
        *earlier, last = steps[:count]
        rows = tuple(stem for stem in last.stems if stem in needed)
        return [*((step, step.stems) for step in earlier), (last, rows)]

    def _step(
        self,
        step: Step,
        stems: tuple[str, ...],
        sound: SampleSource,
        progress: _Progress,
        *,
        on_device: bool,
    ) -> Iterator[Tensor]:
        """Yield the stems of a step, shape `(stems, channels, samples)`."""
        streams = []
        active = _active(step, stems)
        for model, weights in active:
            rows = [stem for stem in stems if weights[stem]]
            stream = self._models[model].stream(
                sound, rows, on_progress=progress.of_next(), on_device=on_device
            )
            places = [stems.index(stem) for stem in rows]
            streams.append(stream if len(rows) == len(stems) else _spread(stream, places, stems))
        if len(streams) == 1:
            return streams[0]
        total = torch.tensor([[weights[stem] for stem in stems] for _, weights in active])
        shares = (total / total.sum(0))[..., None, None]
        device = torch.device(self.device if on_device else "cpu")
        return combine(streams, [upload(share, device) for share in shares])


def _active(step: Step, stems: Sequence[str]) -> list[tuple[str, Mapping[str, float]]]:
    """Return the models of a step with weight for one of these stems, and their weights."""
    return [
        (member.model, member.weights)
        for member in step.members
        if any(member.weights[stem] for stem in stems)
    ]


def _spread(stream: Iterator[Tensor], places: list[int], stems: Sequence[str]) -> Iterator[Tensor]:
    """Yield all stems from a stream of some: zeros are at all other places."""
    for block in stream:
        full = block.new_zeros(len(stems), *block.shape[1:])
        for place, sound in zip(places, block, strict=True):
            full[place] = sound
        yield full


@dataclass
class _Progress:
    """Progress of several models, as the mean of their shares."""

    models: int
    on_progress: OnShare | None

    def __post_init__(self) -> None:
        self._shares: list[float] = []

    def of_next(self) -> Callable[[float], None]:
        """Return the callback of one more model."""
        index = len(self._shares)
        self._shares.append(0.0)

        def report(share: float) -> None:
            self._shares[index] = share
            if self.on_progress is not None:
                self.on_progress(min(1.0, sum(self._shares) / self.models))

        return report
