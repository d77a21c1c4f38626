"""Data quality: checks of the warehouse, a file of `sql/checks` each."""
