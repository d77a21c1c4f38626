"""Reconciliation: rules over the ledger, evaluated as of a moment, and the findings that they leave."""
