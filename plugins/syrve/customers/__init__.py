"""Customers: whom to look up (the roster), how an answer becomes rows, and the pull that joins the two."""
