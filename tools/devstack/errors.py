"""What can go wrong while the stack is brought up, used or stopped."""

from pathlib import Path


class StackError(Exception):
    """Says in plain words what failed and what to do; with a log, its path and last lines are shown below it."""

    def __init__(self, message: str, log: Path | None = None) -> None:
        super().__init__(message)
        self.log = log
