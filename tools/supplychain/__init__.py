"""What the project is built from: whether the lock has known vulnerabilities, and a bill of materials."""
