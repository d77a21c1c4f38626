"""Signals: what the live service says by itself, and what follows from it."""
