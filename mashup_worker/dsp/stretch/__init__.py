"""Time-stretching and pitch-shifting: one protocol, several engines."""
