"""Music without drums."""

from __future__ import annotations

from .kinds import Style, arp, bass, comp, extra, pad, pick, walk

STYLES = (
    Style(
        "fingerpicked folk",
        (76, 128),
        (
            pick("0.2.1.2.0.2.1.2. 0.3.1.2.0.3.1.2. 0.213.2.0.213.2.", "steel nylon", 1.8, 57),
            bass("r...5... r...r...", "upright steel", 1.0),
            pad("strings"),
        ),
        "mid",
        ("ah", "oo", "harmonica", "fiddle"),
        "folk",
    ),
    Style(
        "chamber strings",
        (66, 128),
        (
            comp("xxxxxxxx x.x.x.x. x.xxx.xx", "pizzicato cello", 0.6, 60),
            bass("r...r... r.5.r.5. r.......", "cello", 0.9),
            extra("x.......|x...x...", "strings", 1.0, 65),
        ),
        "mid",
        ("fiddle", "cello", "flute"),
        "classical",
        looseness_s=0.006,
    ),
    Style(
        "solo piano",
        (62, 126),
        (
            pick("01232123 0.2.1.2.3.2.1.2. 02131213", "piano", 1.8, 58),
            bass("r....... r...5... r.....5.", "piano", 1.0),
        ),
        "mid",
        ("piano",),
        "pop",
        looseness_s=0.006,
    ),
    Style(
        "stride piano",
        (96, 168),
        (
            bass("r...5... r...r...|5...r...", "piano", 0.5),
            comp("..x...x.", "piano", 0.5, 58),
        ),
        "busy",
        ("piano",),
        "jazz",
        swing=(0.58, 0.67),
        plain_end=False,
    ),
    Style(
        "organ chorale",
        (60, 88),
        (
            comp("x.x.x.x.", "organ pipes", 0.92, 62),
            bass("r.r.r.r. r.3.5.r. r...5.a.", "pipes", 0.92),
        ),
        "sparse",
        ("pipes", "organlead"),
        "classical",
        looseness_s=0.003,
    ),
    Style(
        "tango",
        (110, 132),
        (
            comp("X.x.X.x. X..xX.x. XxxxX.x.", "accordion piano", 0.45, 60),
            bass("r.r.r.r. r..rr.5. r.5.r.a.", "upright", 0.5),
            extra("x.......|...xx...", "strings", 0.7, 67),
        ),
        "busy",
        ("fiddle", "accordion"),
        "tango",
    ),
    Style(
        "bluegrass",
        (96, 132),
        (
            comp("..x...x...x...x.", "mandolin", 0.25, 65),
            bass("r.5.r.5. r.r.5.a.", "upright", 0.6),
            arp("0231023102310231 3.12301230123.12", "banjo", 1.2, 64),
            pick("0.2.1.2.", "steel", 1.0, 57),
        ),
        "busy",
        ("fiddle", "mandolin", "banjo"),
        "folk",
    ),
    Style(
        "sequencer",
        (84, 128),
        (
            pick("0123012301230123 0213021302130213 0.3.2.1.3.2.0.2.", "pluck squarelead", 0.8, 64),
            bass("r.....r...r..... rrrrrrrr r...............", "synthbass", 0.8),
            pad("warmpad"),
        ),
        "sparse",
        ("sawlead", "oo", "fmkeys"),
        "dance",
        looseness_s=0.001,
    ),
    Style(
        "duo jazz",
        (100, 160),
        (
            walk("upright"),
            comp("x.x.x.x. x..x....|...x..x.", "jazzguitar piano", 0.5, 60),
        ),
        "mid",
        ("sax", "ah", "vibes"),
        "jazz",
        swing=(0.6, 0.67),
        looseness_s=0.005,
        plain_end=False,
    ),
    Style(
        "mazurka",
        (108, 156),
        (
            bass("r.....", "piano", 0.6),
            comp("..x.x. ..x.X.", "piano", 0.5, 60),
        ),
        "busy",
        ("piano", "fiddle"),
        "classical",
        beats_per_bar=3,
        looseness_s=0.006,
    ),
    Style(
        "musette waltz",
        (140, 184),
        (
            bass("r.....|5.....", "upright accordion", 0.6),
            comp("..x.x.", "jazzguitar accordion", 0.4, 60),
        ),
        "busy",
        ("accordion", "fiddle"),
        "tango",
        beats_per_bar=3,
    ),
    Style(
        "minuet",
        (96, 134),
        (
            bass("r.3.5. r.5.3. r...r.", "cello harpsichord", 0.8),
            comp("x.x.x. x...x.", "harpsichord pizzicato", 0.7, 60),
        ),
        "busy",
        ("fiddle", "flute", "harpsichord"),
        "classical",
        beats_per_bar=3,
    ),
    Style(
        "folk waltz",
        (84, 132),
        (
            pick("0.2.3. 0.1.2.3.2.1. 012323", "steel nylon", 1.6, 57),
            bass("r..... r...5.", "upright steel", 1.0),
            pad("strings"),
        ),
        "mid",
        ("ah", "harmonica", "oo", "fiddle"),
        "folk",
        beats_per_bar=3,
    ),
)
