"""Money: every wallet call goes through a ledger that is written before and after it."""
