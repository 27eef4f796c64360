"""Checks of the machine, one file each: what is there, how bad, and what to do."""
