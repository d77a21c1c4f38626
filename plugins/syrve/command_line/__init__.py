"""The commands of `python -m syrve` beside `freshness`: questions to the warehouse, and one look-up at Syrve."""
