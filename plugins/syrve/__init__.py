"""Keeps Syrve (iiko) Cloud loyalty data and a Postgres warehouse in step."""

__version__ = "0.1.0"
