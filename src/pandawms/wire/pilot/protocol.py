"""The protocol's version, which every request carries."""

PROTOCOL = 1
