"""Approvals: a person's answer is bound to the content that was shown, and is a row that the sender checks."""
