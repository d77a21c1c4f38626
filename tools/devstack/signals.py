"""Interruptions: every one leads to an orderly end, and none comes between starting a process and noting it down."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """The user, the terminal or the system asked us to end; `number` is the signal's."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def raise_on_interruption() -> None:
    """Turn SIGINT, SIGTERM and SIGHUP into the exception Interrupted, for the main thread of a command.

    One that the caller has switched off, as `nohup` does with SIGHUP, stays off.
    """
    for number in INTERRUPTIONS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _raise)


@contextmanager
def held_back() -> Iterator[None]:
    """Hold interruptions back for the length of the block; the first that came in it takes effect after it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    heeded = [number for number in INTERRUPTIONS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, lambda number, _frame: came.append(number)) for number in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if came:
        signal.raise_signal(came[0])


def _raise(number: int, _frame: FrameType | None) -> None:
    raise Interrupted(number)
