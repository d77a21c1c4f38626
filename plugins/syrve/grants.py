"""What the keeper of a call budget gives to those who call: known to both sides, which do not know each other."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Grant:
    """`count` permits, the first in `wait_seconds`, the others `spacing_seconds` apart; with none, ask again after `wait_seconds`.

    `is_paused` says that Syrve asked for the wait.
    """

    count: int
    wait_seconds: float
    spacing_seconds: float
    is_paused: bool = False
