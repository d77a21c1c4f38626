"""The report of a reconciliation run: the open findings as a CSV, and one page with charts that needs nothing from elsewhere."""
