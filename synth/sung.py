"""Songs of `bandstand` whose melody a singer sings."""

from __future__ import annotations

from dataclasses import replace
from itertools import count, islice
from typing import TYPE_CHECKING

import numpy as np
import torch

from mashup_worker.audio.signal import Audio
from synth.bandstand.plan import draw
from synth.bandstand.stage import perform
from synth.core import RATE_HZ, band, midi_hz
from synth.effects import compress, reverb
from synth.labels import phrases
from synth.song import Song
from synth.voice import Singer, Sung, sing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synth.bandstand.plan import Plan, Sounding

_SYLLABLES = (
    *("l a", "m i", "h ou l d", "dh uh", "t u", "k ae", "r i", "n a", "s ou", "w ei", "f er"),
    *("b ai", "g ou", "y u", "v au", "sh ih n", "p e", "z o"),
)
_LOWEST, _HIGHEST = 52, 74
_PEAK = 0.89


def generate(seed: int) -> Song:
    """Sing the melody of a song: the first of `bandstand` that has one, from seed 7 * `seed`."""
    plans = (draw(number) for number in count(7 * seed))
    plan = next(p for p in plans if any(part.name == "lead" for part in p.parts))
    lead = next(part for part in plan.parts if part.name == "lead")
    kept = [index for index, part in enumerate(plan.parts) if part is not lead]
    mix = replace(plan.mix, part_db=tuple(plan.mix.part_db[index] for index in kept))
    band_plan = replace(plan, parts=tuple(plan.parts[index] for index in kept), mix=mix)
    played = perform(band_plan)
    notes = _sung(lead.notes, plan, np.random.default_rng([seed, 0x51]))
    voice = _voice(notes, seed, played.mix)
    gain = _PEAK / max(_PEAK, float((played.mix.samples + voice).abs().max()))
    stems = {kind: Audio(gain * stem.samples, RATE_HZ) for kind, stem in played.stems.items()}
    stems["vocals"] = Audio(gain * voice, RATE_HZ)
    sung_s = phrases((note.start_s, note.start_s + note.duration_s) for note in notes)
    return Song(
        name=f"sung-{seed:04d}",
        mix=Audio(torch.stack([stem.samples for stem in stems.values()]).sum(dim=0), RATE_HZ),
        stems=stems,
        truth=replace(plan.truth, singing_s=sung_s),
    )


def _sung(notes: Sequence[Sounding], plan: Plan, rng: np.random.Generator) -> list[Sung]:
    """One note at a time within the range of a singer, each with a syllable."""
    line = sorted({round(note.at_s, 3): note for note in notes}.values(), key=lambda n: n.at_s)
    middle = float(np.median([note.midi for note in line]))
    octaves = -12 * round((middle - (_LOWEST + _HIGHEST) / 2) / 12)
    out = []
    for note, after in zip(line, [*islice(line, 1, None), None], strict=True):
        room_s = after.at_s - note.at_s if after else note.duration_s
        midi = note.midi + octaves
        midi += 12 * (midi < _LOWEST) - 12 * (midi > _HIGHEST)
        out.append(
            Sung(
                start_s=max(0.1, note.at_s),
                duration_s=max(0.08, 0.95 * min(note.duration_s, room_s)),
                pitch_hz=midi_hz(midi + plan.form.tuning_cents / 100),
                syllable=_SYLLABLES[int(rng.integers(len(_SYLLABLES)))],
            )
        )
    return out


def _voice(notes: Sequence[Sung], seed: int, played: Audio) -> torch.Tensor:
    rng = np.random.default_rng([seed, 0x52])
    singer = Singer(
        tract=float(rng.uniform(1.0, 1.17)),
        shape=float(rng.uniform(0.8, 1.3)),
        breath=float(rng.uniform(0.01, 0.04)),
        seed=seed,
    )
    dry = compress(band(sing(notes, singer, played.duration_s), 95), threshold_db=-24, ratio=3.0)
    wet = np.stack([dry, dry]) + 0.1 * reverb(np.stack([dry, dry]), rng, decay_s=0.8)
    sound = torch.from_numpy(wet[:, : played.length_samples].astype(np.float32))
    level = float(rng.uniform(-4, 2))
    loud = sound[sound.abs() > 0.01 * sound.abs().max()].square().mean().sqrt()
    return sound * (10 ** (level / 20) * played.samples.square().mean().sqrt() / loud)
