"""Analysis of files and of sound in memory: tempo, beats, key and loudness."""
