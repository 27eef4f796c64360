"""What a song is made of: onsets, tempo, beats, bars, chroma and key."""
