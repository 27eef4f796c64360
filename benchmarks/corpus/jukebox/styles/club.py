"""Music made with machines, for dancing."""

from __future__ import annotations

from .kinds import Style, arp, bass, comp, extra, pad

_FOUR = "x...x...x...x..."
_BACKBEAT = "....X.......X..."
_OFFBEAT = "..x...x...x...x."

STYLES = (
    Style(
        "synthpop",
        (98, 136),
        (
            bass("rrrrrrrrrrrrrrrr r.8.r.8.r.8.r.8. r..r..r.r..r..r.", "synthbass fmbass", 0.7),
            comp("x.......x..x..x. x...x...x...x... ..x...x...x...x.", "sawstab fmkeys", 0.7, 62),
            arp("0123012301230123 3210321032103210 0.2.1.3.0.2.1.3.", "pluck squarelead", 0.7, 72),
            pad("warmpad strings"),
        ),
        "mid",
        ("ah", "squarelead", "sawlead"),
        "pop",
        (
            {"kick": "x.......x.......", "snare": _BACKBEAT, "hat": "x.x.x.x.x.x.x.x."},
            {"kick": _FOUR, "snare": _BACKBEAT, "hat": "xxxxxxxxxxxxxxxx"},
            {
                "kick": "x.....x.x.x.....",
                "clap": _BACKBEAT,
                "hat": "..x...x...x...x.",
                "tomlo": "..............xx",
            },
        ),
        ("808", "909", "linn"),
        looseness_s=0.0015,
    ),
    Style(
        "house",
        (118, 129),
        (
            bass("..r...r...r...r. r..r..r...r..r.. ..rr..r8..rr..r5", "synthbass fmbass", 0.6),
            comp(
                "x..x..x...x..x.. ..x..x....x..x.. x..x..x..x..x...", "piano organ sawstab", 0.5, 64
            ),
            extra("....x.......x..x", "keys pluck", 0.5, 70),
            pad("warmpad"),
        ),
        "sparse",
        ("ah", "sawlead", "oo"),
        "dance",
        (
            {"kick": _FOUR, "clap": _BACKBEAT, "ohat": _OFFBEAT, "hat": "xoxoxoxoxoxoxoxo"},
            {"kick": _FOUR, "snare": _BACKBEAT, "ohat": _OFFBEAT, "shaker": "xoxoxoxoxoxoxoxo"},
            {"kick": _FOUR, "clap": _BACKBEAT, "ohat": _OFFBEAT, "congahi": "...x..x....x..x."},
        ),
        ("909", "808"),
        swing=(0.5, 0.56),
        swing_unit=0.5,
        fill="claps",
        looseness_s=0.001,
        duck=True,
        plain_end=False,
    ),
    Style(
        "techno",
        (124, 146),
        (
            bass("..rr..rr..rr..rr .rrr.rrr.rrr.rrr r..r..r.r..r..r.", "synthbass fmbass", 0.6),
            comp("x..x..x......... ..x..x.......... x.....x...x.....", "sawstab fmkeys", 0.4, 60),
            arp("0.1.2.3.1.2.0.1. 0102010301020103", "pluck squarelead", 0.6, 67),
            pad("warmpad"),
        ),
        "none",
        ("sawlead",),
        "dance",
        (
            {"kick": _FOUR, "ohat": _OFFBEAT, "clap": _BACKBEAT},
            {"kick": _FOUR, "hat": "xxoxxxoxxxoxxxox", "rim": "...x..x....x...."},
            {"kick": _FOUR, "ohat": _OFFBEAT, "ride": _FOUR, "clap": _BACKBEAT},
        ),
        ("909",),
        fill="snare",
        looseness_s=0.001,
        duck=True,
    ),
    Style(
        "uk garage",
        (127, 137),
        (
            bass("r.....r...r..r.. r..r......8.r...", "synthbass fmbass", 0.7),
            comp("..x...x..x....x. x..x...x..x.....", "organ keys pluck", 0.4, 64),
            extra("x...............", "strings warmpad", 0.9, 67),
        ),
        "mid",
        ("ah", "eh"),
        "soul",
        (
            {"kick": "x.........x.....", "snare": _BACKBEAT, "hat": "..x...x...x..xx."},
            {
                "kick": "x..?..x...x..x..",
                "clap": _BACKBEAT,
                "hat": "x.xxx.x.xxx.x.xx",
                "ohat": "..x...x...x...x.",
            },
        ),
        ("909", "808"),
        swing=(0.55, 0.62),
        swing_unit=0.5,
        fill="snare",
        looseness_s=0.0015,
        plain_end=False,
    ),
    Style(
        "breakbeat",
        (122, 142),
        (
            bass("r..r..r.....r... r.......r.8...5.", "synthbass fmbass pickbass", 0.8),
            comp("x.....x......... ..x...x...x..x..", "sawstab organ electric", 0.5, 62),
            arp("0.3.2.3.1.3.2.3.", "pluck squarelead", 0.6, 70),
        ),
        "sparse",
        ("sawlead", "eh", "brasslead"),
        "dance",
        (
            {"kick": "x.x.......xx....", "snare": "....X..o.o..X..o", "hat": "x.x.x.x.x.x.x.x."},
            {
                "kick": "x.x.......x.....|x.x.......x..x..",
                "snare": "....X..o.o....X.|....X..o.o..X...",
                "ride": "x.x.x.x.x.x.x.x.",
            },
        ),
        ("dry", "live", "909"),
        swing=(0.5, 0.55),
        swing_unit=0.5,
        fill="snare",
    ),
    Style(
        "drum and bass",
        (166, 178),
        (
            bass("r.......r.....5. r...............|..8.....r.......", "synthbass sub fmbass", 1.0),
            comp("x...............|x.........x..... x.....x.........", "keys sawstab", 0.7, 62),
            arp("3...1...2.....0.", "pluck fmkeys", 1.0, 72),
            pad("warmpad strings"),
        ),
        "sparse",
        ("ah", "oo", "sawlead"),
        "dance",
        (
            {"kick": "x.........x.....", "snare": "....X.......X...", "hat": "x.x.x.x.x.x.x.x."},
            {
                "kick": "x.........x.....|x..x......x.....",
                "snare": "....X..o.o..X..o",
                "hat": "x.xxx.x.x.xxx.x.",
            },
        ),
        ("909", "dry"),
        fill="snare",
        looseness_s=0.002,
    ),
    Style(
        "trap",
        (130, 150),
        (
            bass("r...........r...|....r........... r.....r...r.....", "sub", 1.0),
            comp("x............... x.......x.......", "piano bells pluck", 1.0, 64),
            arp(
                "0.2.1.2.3.2.1.2. 3.......2...1... 0...2...3...2.1.",
                "bells pluck piano flute",
                1.0,
                72,
            ),
        ),
        "sparse",
        ("ah", "oo", "flute"),
        "dark",
        (
            {
                "kick": "x..........x....|x.....x.........",
                "snare": "........X.......",
                "hat": "x.x.x.x.x.x.x.r.|x.x.x.t.x.x.xxx.",
            },
            {
                "kick": "x.....x...x.....",
                "clap": "........X.......",
                "hat": "x.x.xrx.x.x.x.x.",
                "ohat": "..............x.",
            },
        ),
        ("808",),
        fill="snare",
        crash=False,
        looseness_s=0.001,
    ),
    Style(
        "afro house",
        (110, 124),
        (
            bass("r..r..r...r..... ..r..r....r..r5.", "synthbass fingerbass", 0.7),
            comp("..x..x....x..x.. x.....x...x.....", "marimba piano pluck", 0.6, 67),
            arp("0.1.3.2.0..1..2.", "marimba nylon", 0.9, 70),
            pad("warmpad"),
        ),
        "mid",
        ("ah", "oo", "flute"),
        "dance",
        (
            {
                "kick": _FOUR,
                "congahi": "..x..x....x..xx.",
                "congalo": "......x.......x.",
                "shaker": "xoxoxoxoxoxoxoxo",
                "clap": _BACKBEAT,
            },
            {
                "kick": _FOUR,
                "rim": "x..x..x...x.x...",
                "ohat": _OFFBEAT,
                "congalo": "..........x..x..",
            },
        ),
        ("909", "808"),
        fill="perc",
        duck=True,
        looseness_s=0.002,
    ),
)
