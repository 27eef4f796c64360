"""Progressions that songs are drawn from, by the kind of music whose language they share.

The tonic is written as C. A song takes its chords from one pool and one mode.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_POP = {
    "major": (
        "C G Am F",
        "C Am F G",
        "C F Am G",
        "C Em F G",
        "C G/B Am F C/E F Gsus4 G",
        "C Am Dm G",
        "C F Fm C",
        "F G Em Am F G C C",
        "C E7 Am F C G F,G C",
        "Cadd9 F Am7 Gsus4,G",
        "C Dm7 F G",
    ),
    "minor": (
        "Cm Ab Eb Bb Cm Ab Fm G",
        "Cm Fm Ab G",
        "Cm Bb Ab G",
        "Cm Ab Fm Gm",
        "Cm Gm Ab Bb",
        "Cm Fm Cm G",
        "Cm Ab Bb Cm",
        "Cm Eb Bb Fm Cm Ab G G",
        "Cmadd9 Abmaj7 Fm7 Gm7",
    ),
    "mixolydian": ("C Bb F C", "C Gm F C", "C Bb C F"),
    "dorian": ("Cm F Cm Bb", "Cm7 F Cm7 F", "Cm Eb F Cm"),
}
_ROCK = {
    "major": ("C F G C", "C Bb F C", "C Am F G", "C C F G", "C G F G", "C F C G", "C Ab Bb C"),
    "minor": (
        "Cm Ab Bb Cm",
        "Cm Cm Ab Bb",
        "Cm Bb Ab G",
        "Cm Fm Cm G",
        "Cm Ab Eb Bb Cm Ab Bb G",
        "Cm Db Cm Bb",
    ),
    "mixolydian": ("C Bb F C", "C C Bb F", "C F Bb C"),
    "dorian": ("Cm F Cm F", "Cm Eb F Cm", "Cm Bb F Cm"),
}
_SOUL = {
    "major": (
        "Cmaj7 Am7 Dm7 G7",
        "C C7 F Fm6",
        "Cmaj9 Fmaj7 Em7 Dm7,G7",
        "C E7 Am7 Gm7,C7 Fmaj7 Fm6 C/E,A7 Dm7,G7",
        "Fmaj7 G7 Em7 Am7 Dm7 G7sus4 C6 C6",
        "C C/E F F#dim7 C/G A7 Dm7 G7",
    ),
    "minor": (
        "Cm7 Fm7 Cm7 G7",
        "Cm9 Abmaj7 Fm7 G7",
        "Cm7 Bb Abmaj7 G7",
        "Fm7 Gm7 Cm7 Cm7",
        "Cm7 Ebmaj7 Abmaj7 G7",
        "Cm9 Fm9 Dm7b5 G7",
    ),
    "dorian": ("Cm7 F9 Cm7 F9", "Cm9 Cm9 F9 F9", "Cm7 Ebmaj7 F7 Cm7"),
    "mixolydian": ("C9 C9 F9 C9", "C7 Bb F C7", "C9 Bb9 C9 F9"),
}
_JAZZ = {
    "major": (
        "Cmaj7 Am7 Dm7 G7 Em7 A7 Dm7,G7 C6",
        "Cmaj7 C7 Fmaj7 Fm6 Em7 A7 Dm7,G7 C6",
        "C6,A7 Dm7,G7 Em7,A7 Dm7,G7 C7 F6,F#dim7 C6/G,A7 Dm7,G7",
        "Cmaj7 E7 A7 A7 D7 D7 Dm7 G7 Cmaj7 E7 A7 A7 Dm7 Fm6 C6,A7 Dm7,G7",
        "Cmaj7 Dm7,G7 Cmaj7 Gm7,C7 Fmaj7 Fm7,Bb7 C6 Dm7,G7",
    ),
    "minor": (
        "Cm6 Dm7b5,G7 Cm6 G7 Fm7 Cm7 Dm7b5,G7 Cm6",
        "Cm7 Fm7 Dm7b5 G7b9",
        "Cm7 Ab7 G7 Cm6",
        "Fm7 Bb7 Ebmaj7 Abmaj7 Dm7b5 G7 Cm6 Cm6",
        "Cm Cm/Bb Abmaj7 G7 Cm6 Fm7 Dm7b5,G7 Cm6",
    ),
    "dorian": ("Cm7 F7 Cm7 F7 Cm7 F7 Dm7b5,G7 Cm7",),
}
_BOSSA = {
    "major": (
        "Cmaj7 Cmaj7 D9 D9 Dm7 Db7 Cmaj7 Db7",
        "Cmaj9 Am7 Dm9 G7",
        "Cmaj7 F#m7b5,B7 Em7 A7 Dm7 Fm6 Em7,A7 Dm7,G7",
        "C6 C#dim7 Dm7 G7",
    ),
    "minor": (
        "Cm7 Cm7 Dm7b5 G7 Cm7 Fm7 Dm7b5,G7 Cm6",
        "Cm9 Fm9 Dm7b5 G7b9",
        "Fm7 Bb7 Ebmaj7 Abmaj7 Dm7b5 G7 Cm6 Cm6",
        "Cm7 Abmaj7 Dm7b5 G7",
    ),
}
_FOLK = {
    "major": (
        "C F C G C F G C",
        "C G Am F C G F,G C",
        "C C F C C Am G G C C F C F G C C",
        "C Am F G C Am F,G C",
        "C G F C",
        "C Em F C F C Dm G",
    ),
    "minor": (
        "Cm Bb Cm Gm Cm Bb Gm Cm",
        "Cm Fm Cm G Cm Fm G Cm",
        "Cm Ab Bb Cm",
        "Cm Eb Bb G7 Cm Ab G Cm",
        "Cm Cm Fm Cm G G Cm Cm",
    ),
    "mixolydian": ("C Bb C G C Bb F,G C", "C Bb F C"),
    "dorian": ("Cm Bb Cm F Cm Bb Gm Cm", "Cm F Bb Cm"),
}
_CLASSICAL = {
    "major": (
        "C G/B Am Em F C/E Dm,G C",
        "C F/C G7/B C C/E F G7 C",
        "C Am Dm G7 C A7/C# Dm,G7 C",
        "C D7 G7 C Am Dm/F C/G,G7 C",
        "C E7/G# Am F Dm C/G G7 C",
    ),
    "minor": (
        "Cm G/B Cm Fm Cm/G G7 Cm G",
        "Cm Fm Bb Eb Ab Dm7b5 G7 Cm",
        "Cm Bb Ab G Fm Cm/Eb Dm7b5,G7 Cm",
        "Cm Ab Fm G7 Cm/Eb Fm G7 Cm",
        "Cm Fm/C G7/B Cm C7/E Fm G7 Cm",
    ),
}
_DANCE = {
    "major": (
        "C F Am G",
        "Cmaj7 Em7 Fmaj7 G",
        "C C F G",
        "Cadd9 Am7 Fmaj7 G",
        "C Fmaj7 C G",
        "Am F C G F G C C",
    ),
    "minor": (
        "Cm Cm Ab Bb",
        "Cm Ab Fm Gm",
        "Cm7 Fm7 Cm7 Gm7",
        "Cm Cm Fm Gm",
        "Cm Ab Eb G",
        "Cm9 Cm9 Abmaj7 Gm7",
    ),
    "dorian": ("Cm7 F7 Cm7 F7", "Cm9 Cm9 F9 F9"),
    "mixolydian": ("C Bb C F", "C9 C9 Bb F"),
}
_DARK = {
    "major": ("C F Fm C", "C Em Am F C Em F G", "C Am Em F C Am F G"),
    "minor": ("Cm Cm Ab G", "Cm Ab Fm G", "Cm Db Cm G", "Cm Fm Ab Gm", "Cm Cm Fm Ab"),
}
_BLUES = {
    "major": ("C7 F7 C7 C7 F7 F7 C7 C7 G7 F7 C7 G7", "C7 C7 C7 C7 F9 F9 C7 A7 Dm7 G7 C7,A7 Dm7,G7"),
    "minor": (
        "Cm7 Cm7 Cm7 Cm7 Fm7 Fm7 Cm7 Cm7 Ab7 G7 Cm7 G7",
        "Cm7 Fm7 Cm7 Cm7 Fm7 Fm7 Cm7 Cm7 Dm7b5 G7 Cm7 G7",
    ),
}
_TANGO = {
    "major": ("C G7 G7 C C A7 Dm,G7 C", "C C#dim7 G7 C F C G7 C", "C E7 Am F C/G G7 C C"),
    "minor": (
        "Cm Cm G7 G7 Fm Cm G7 Cm",
        "Cm C7 Fm Fm G7 G7 Cm Cm",
        "Cm Bb Ab G7 Fm Cm D7,G7 Cm",
        "Cm G7 Cm G7 Fm Cm Ab,G7 Cm",
    ),
}
POOLS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "pop": _POP,
    "rock": _ROCK,
    "soul": _SOUL,
    "jazz": _JAZZ,
    "bossa": _BOSSA,
    "folk": _FOLK,
    "classical": _CLASSICAL,
    "dance": _DANCE,
    "dark": _DARK,
    "blues": _BLUES,
    "tango": _TANGO,
}
