"""A Syrve Cloud that runs on loopback: for the demo, the tests and rehearsing outages."""

__version__ = "0.1.0"
