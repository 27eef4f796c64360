"""Songs whose tempo, beats, bars and key are known, for measuring the analysis."""
