"""Width of stereo sound: the gain of its side signal, half the difference of its channels."""

from __future__ import annotations

from mashup_worker.audio.signal import Audio


def with_side_gain(audio: Audio, gain_db: float) -> Audio:
    """Return stereo audio with another gain of its side signal; its mono sum stays the same.

    Audio that is not stereo is returned as it is.
    """
    if audio.channels != 2 or not gain_db:
        return audio
    middle = audio.samples.mean(dim=0, keepdim=True)
    return Audio(middle + 10 ** (gain_db / 20) * (audio.samples - middle), audio.sample_rate)
