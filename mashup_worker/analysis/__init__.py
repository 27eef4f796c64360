"""Musical features of a song: onsets, tempo, beats, bars, chroma, key and form."""
