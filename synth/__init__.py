"""A synthesizer and the songs that it plays, for samples, tests and benchmarks.

`core`, `drums`, `instruments`, `voice` and `effects` make sounds, and `timeline` places them; the
sample songs, `loops` and `bandstand` are played with them. `jukebox` shares only names, tables,
draws and swing: its sounds and its mixing are its own, so that an analysis fitted to one generator
can be measured on the other. `roadshow` shares nothing with either but the reading of tables.
"""
