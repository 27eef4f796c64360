"""The commands of `mashup`, one file each."""
