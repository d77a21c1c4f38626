"""The question that a person is asked about holds, and what the answer means; ids, amounts and ages only."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from syrve.approvals.rules import tag
from syrve.release.errors import AnswerUnclear

RELEASE_ALL = "Release all"
RELEASE_NONE = "Release none"
KEEP_REST = "Keep the rest: mark what is not released as acknowledged"
FIXED_OPTIONS = (RELEASE_ALL, RELEASE_NONE, KEEP_REST)
_TAG = re.compile(r" \[[0-9a-f]+\]$")


@dataclass(frozen=True, slots=True)
class ShownHold:
    """One hold as it was shown."""

    release_id: str
    place: int
    hold_id: str
    organization_id: str
    amount: Decimal
    order_state: str | None
    rules: Sequence[str]
    severity: str
    age: timedelta

    @property
    def option(self) -> str:
        """The option that releases it; names the hold in full, so that no two are alike."""
        return f"{self.place}. Release {self.amount:f}, {', '.join(self.rules)}, hold {self.hold_id}"


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decided, by `release_id`."""

    approved: frozenset[str] = field(default_factory=frozenset)
    kept: frozenset[str] = field(default_factory=frozenset)
    left: frozenset[str] = field(default_factory=frozenset)


def options(holds: Sequence[ShownHold], digest: str) -> list[str]:
    """Return the options: all, none, one per hold, and keep the rest; those that change something end in the tag of what was shown."""
    shown = tag(digest)
    return [
        f"{RELEASE_ALL} {shown}",
        RELEASE_NONE,
        *(f"{each.option} {shown}" for each in holds),
        f"{KEEP_REST} {shown}",
    ]


def subject(holds: Sequence[ShownHold]) -> str:
    """Return the headline."""
    return f"Release {len(holds)} hold(s) of {total(holds):f} in all?"


def body(holds: Sequence[ShownHold]) -> str:
    """Return the text of the question, a table in Markdown."""
    lines = [
        "Choose the holds to cancel: their money goes back to the guests. A hold that has changed since is not cancelled.",
        "What is not chosen stays as it is, and is asked about again; *Keep the rest* marks it as acknowledged instead.",
        "",
        "| | amount | age | severity | rules | order | hold | organization |",
        "| ---: | ---: | ---: | --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {each.place} | {each.amount:f} | {format_age(each.age)} | {each.severity} | {', '.join(each.rules)} "
        f"| {each.order_state or 'not known'} | {each.hold_id} | {each.organization_id} |"
        for each in holds
    ]
    return "\n".join(lines)


def read_answer(holds: Sequence[ShownHold], chosen: Collection[str]) -> Decision:
    """Return what the chosen options mean, with any tags; raise `AnswerUnclear` if they contradict each other or are unknown."""
    chosen = {_TAG.sub("", each) for each in chosen}
    ticked = {each.release_id for each in holds if each.option in chosen}
    unknown = set(chosen) - {each.option for each in holds} - set(FIXED_OPTIONS)
    if unknown:
        raise AnswerUnclear("the answer names options that were not in this question; nothing is released")
    if RELEASE_NONE in chosen and (ticked or RELEASE_ALL in chosen):
        raise AnswerUnclear(f"the answer is {RELEASE_NONE!r} and names holds to release; nothing is released")
    everything = frozenset(each.release_id for each in holds)
    approved = everything if RELEASE_ALL in chosen else frozenset(ticked)
    rest = everything - approved
    if KEEP_REST in chosen:
        return Decision(approved, kept=rest)
    return Decision(approved, left=rest)


def total(holds: Sequence[ShownHold]) -> Decimal:
    """Return the sum of the amounts."""
    return sum((each.amount for each in holds), Decimal(0))


def format_age(age: timedelta) -> str:
    """Say an age in its largest fitting unit."""
    minutes = max(0, int(age.total_seconds() // 60))
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 72 * 60 else f"{minutes // (24 * 60)} d"
