"""Reproduces every speed that the README claims: ratios to peers, measured in one run on one machine."""
