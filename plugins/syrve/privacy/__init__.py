"""Privacy: forgetting a person everywhere, handing out what is known of one, and how long rows are kept."""
