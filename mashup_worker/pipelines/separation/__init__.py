"""Separation of songs into stems: on the host, on the device, several songs at once."""
