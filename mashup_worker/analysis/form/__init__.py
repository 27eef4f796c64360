"""Form of a song: sections, chords, singing, energy, loops and cue points."""
