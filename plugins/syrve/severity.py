"""How grave a finding is: the words and their order, for rules, releases, messages and reports alike."""

from __future__ import annotations

from typing import Literal

Severity = Literal["low", "medium", "high", "critical"]
SEVERITIES: tuple[Severity, ...] = ("low", "medium", "high", "critical")
"""From the least grave to the gravest."""
