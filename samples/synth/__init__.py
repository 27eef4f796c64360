"""A small synthesiser: oscillators, drums, instruments, a singer and effects."""
