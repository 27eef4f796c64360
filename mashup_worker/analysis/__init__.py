"""Musical features of a song: onsets, tempo, beats, bars, chroma and key."""
