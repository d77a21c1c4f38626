"""Carriers of calls: each sends one request and waits, blocking or on an event loop; the loop over them is `syrve.api.caller`."""
