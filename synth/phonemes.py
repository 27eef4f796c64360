"""How each speech sound is made: formants, voicing, breath and noise, as data.

Formants are those of a male tract in Hz (vowels after Peterson and Barney 1952, consonant loci
after Klatt 1980); the singer scales them to its own size.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Gesture:
    """A stretch of sound during which the targets of the voice stand still.

    Attributes:
        formants_hz: F1, F2 and F3; None keeps those of the neighbouring vowel.
        duration_s: length of a consonant's gesture; a vowel's comes from the score.
        voice: level of the glottal pulses, 0 to 1.
        breath: level of noise that passes through the formants.
        hiss: level of noise made at the teeth, outside the formants.
        hiss_hz: centre of the hiss.
        hiss_width_hz: its width.
        zero_hz: frequency of the spectral zero of a nasal; None where there is none.
    """

    formants_hz: tuple[float, float, float] | None = None
    duration_s: float = 0.0
    voice: float = 0.0
    breath: float = 0.0
    hiss: float = 0.0
    hiss_hz: float = 5_000.0
    hiss_width_hz: float = 2_000.0
    zero_hz: float | None = None


@dataclass(frozen=True)
class Phoneme:
    """A sound: one gesture after the other, the first and last targets being those to glide to."""

    gestures: tuple[Gesture, ...]
    vowel: bool = False


def _vowel(*targets: tuple[float, float, float]) -> Phoneme:
    return Phoneme(tuple(Gesture(target, voice=1.0) for target in targets), vowel=True)


def _glide(formants_hz: tuple[float, float, float], voice: float = 0.6) -> Phoneme:
    return Phoneme((Gesture(formants_hz, 0.07, voice=voice),))


def _nasal(formants_hz: tuple[float, float, float], zero_hz: float) -> Phoneme:
    return Phoneme((Gesture(formants_hz, 0.075, voice=0.5, zero_hz=zero_hz),))


def _fricative(hiss: float, hiss_hz: float, width_hz: float, voice: float = 0.0) -> Phoneme:
    duration_s = 0.07 if voice else 0.1
    return Phoneme((Gesture(None, duration_s, voice, 0.02, hiss, hiss_hz, width_hz),))


def _stop(
    formants_hz: tuple[float, float, float], hiss: float, hiss_hz: float, voiced: bool
) -> Phoneme:
    closure = Gesture(formants_hz, 0.045, voice=0.12 if voiced else 0.0)
    burst = Gesture(formants_hz, 0.012, 0.0, 0.15, hiss, hiss_hz, 0.5 * hiss_hz)
    if voiced:
        return Phoneme((closure, burst))
    return Phoneme((closure, burst, Gesture(None, 0.03, breath=0.25)))


_AH, _UH, _EH, _AE = (730, 1090, 2440), (640, 1190, 2390), (530, 1840, 2480), (660, 1720, 2410)
_IH, _IY, _AO, _OH = (390, 1990, 2550), (280, 2250, 2950), (570, 840, 2410), (490, 910, 2350)
_UW, _UU, _ER = (310, 880, 2240), (440, 1020, 2240), (490, 1350, 1690)
_LABIAL, _ALVEOLAR, _VELAR = (250, 800, 2200), (250, 1750, 2600), (250, 1900, 2350)

PHONEMES: dict[str, Phoneme] = {
    "a": _vowel(_AH),
    "e": _vowel(_EH),
    "i": _vowel(_IY),
    "o": _vowel(_AO),
    "u": _vowel(_UW),
    "uh": _vowel(_UH),
    "ae": _vowel(_AE),
    "ih": _vowel(_IH),
    "er": _vowel(_ER),
    "ai": _vowel(_AH, _IH),
    "ei": _vowel(_EH, _IY),
    "ou": _vowel(_OH, _UU),
    "au": _vowel(_AH, _UU),
    "m": _nasal((260, 1000, 2200), 900),
    "n": _nasal((260, 1500, 2500), 1_600),
    "ng": _nasal((260, 1900, 2400), 3_000),
    "l": _glide((370, 1050, 2750)),
    "r": _glide((360, 1150, 1550)),
    "w": _glide((300, 650, 2200), 0.5),
    "y": _glide((270, 2200, 3000), 0.5),
    "s": _fricative(0.5, 7_200, 2_600),
    "sh": _fricative(0.55, 3_600, 1_800),
    "f": _fricative(0.18, 6_500, 5_000),
    "z": _fricative(0.28, 6_800, 2_600, 0.35),
    "v": _fricative(0.07, 6_000, 5_000, 0.45),
    "dh": _fricative(0.06, 5_500, 4_000, 0.45),
    "h": Phoneme((Gesture(None, 0.07, breath=0.45),)),
    "t": _stop(_ALVEOLAR, 0.55, 4_600, voiced=False),
    "k": _stop(_VELAR, 0.5, 2_100, voiced=False),
    "p": _stop(_LABIAL, 0.4, 1_000, voiced=False),
    "d": _stop(_ALVEOLAR, 0.35, 4_200, voiced=True),
    "g": _stop(_VELAR, 0.35, 2_000, voiced=True),
    "b": _stop(_LABIAL, 0.3, 900, voiced=True),
}
