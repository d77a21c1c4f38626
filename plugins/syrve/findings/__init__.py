"""What reconciliation finds, and how the holds that it finds are released: above the wallet, which knows nothing of it."""
