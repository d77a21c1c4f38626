"""Release: choosing the holds that findings name, the question to a person, and cancelling what was approved."""
