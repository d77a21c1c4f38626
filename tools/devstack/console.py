"""What the user sees while the stack works: plain lines with the time, and one moving line on a terminal."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.status import Status
from rich.text import Text

from devstack.errors import StackError
from devstack.task_logs import last_lines

PLAIN_WIDTH = 120
PLAIN_PROGRESS_SECONDS = 2.0


class Teller:
    """Says what happens and when, in seconds since the command began."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False)
        if not self.console.is_terminal:
            self.console.width = PLAIN_WIDTH
        self._began = time.monotonic()
        self._status: Status | None = None
        self._last_progress = ("", 0.0)

    def say(self, text: str) -> None:
        """Print a line with the time."""
        self.console.print(f"{time.monotonic() - self._began:6.1f} s  {text}", markup=False, soft_wrap=True)

    def plain(self, text: str = "") -> None:
        """Print a line as it is."""
        self.console.print(text, markup=False, soft_wrap=True)

    def paragraph(self, text: str) -> None:
        """Print a text broken into lines, and an empty line after it."""
        self.console.print(text, markup=False)
        self.console.print()

    @contextmanager
    def progress(self) -> Iterator[None]:
        """Show what `progressing` says on one moving line for the length of the block, where there is a terminal."""
        if not self.console.is_terminal:
            yield
            return
        with self.console.status("") as self._status:
            yield
        self._status = None

    def progressing(self, text: str) -> None:
        """Show how far the work is; without a terminal a line now and then, if it changed."""
        if self._status is not None:
            self._status.update(Text(text))
            return
        last_text, last_time = self._last_progress
        now = time.monotonic()
        if text != last_text and now - last_time >= PLAIN_PROGRESS_SECONDS:
            self._last_progress = (text, now)
            self.say(text)

    def failed(self, error: StackError) -> None:
        """Say what failed, where its log is, and how that ends."""
        self.plain()
        self.plain(f"FAILED: {error}")
        if error.log is not None:
            self.plain(f"Its log is {error.log}" + (", and ends:" if (tail := last_lines(error.log)) else ""))
            for line in tail:
                self.plain(f"    {line}")
