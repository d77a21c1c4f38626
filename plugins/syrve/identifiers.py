"""How ids of Syrve are written."""

UUID_PATTERN = "[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"
"""An id with its hyphens, in lower case; compile it with IGNORECASE where capitals may come."""
