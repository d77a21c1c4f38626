"""Words a message about changes: grouped by organization and rule, the gravest first; ids, amounts and times only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from syrve.reports.cells import id_only, money
from syrve.severity import SEVERITIES

if TYPE_CHECKING:
    from syrve.notifications.channels import Kind

MOST_GROUPS = 30
"""Groups beyond these are told as one line."""
ChangeKind = Literal["opened", "raised", "amount_changed", "closed", "passed"]
_WORDS: dict[ChangeKind, str] = {
    "opened": "opened",
    "raised": "became graver",
    "amount_changed": "changed in amount",
    "closed": "closed",
    "passed": "opened and closed in between",
}


@dataclass(frozen=True, slots=True)
class Change:
    """How one finding differs from what a channel was last told; `amount` is now at risk, or was when it closed."""

    finding_id: str
    version: int
    organization_id: str
    rule: str
    severity: str
    amount: Decimal | None
    reported_amount: Decimal | None
    is_open: bool
    kind: ChangeKind


@dataclass(frozen=True, slots=True)
class OpenGroup:
    """What is open of a rule in an organization; `amount` is None if no finding has one.

    `once` counts the money of a hold with several findings once over all groups.
    """

    organization_id: str
    rule: str
    findings: int
    amount: Decimal | None
    once: Decimal


@dataclass(frozen=True, slots=True)
class Message:
    """What to send."""

    title: str
    body: str
    kind: Kind


@dataclass(slots=True)
class _Group:
    changes: list[Change] = field(default_factory=list)

    @property
    def rank(self) -> int:
        return max(SEVERITIES.index(change.severity) for change in self.changes)

    @property
    def weight(self) -> tuple[bool, int, Decimal]:
        grows = any(change.kind in ("opened", "raised", "amount_changed") for change in self.changes)
        return grows, self.rank, sum((change.amount or Decimal(0) for change in self.changes), Decimal(0))


def word_message(
    changes: Sequence[Change], groups: Sequence[OpenGroup], *, as_of: datetime, link: str | None, is_first: bool
) -> Message:
    """Word the message for changes, of which there must be some."""
    grouped: defaultdict[tuple[str, str], _Group] = defaultdict(_Group)
    for change in changes:
        grouped[change.organization_id, change.rule].changes.append(change)
    ordered = sorted(grouped.items(), key=lambda item: ([-part for part in item[1].weight], item[0]))
    still_open = {(group.organization_id, group.rule): group for group in groups}
    since = "the first message here: all that is open" if is_first else "what changed since the last message"
    lines = [f"Wallet findings as of {as_of.astimezone(UTC):%Y-%m-%d %H:%M} UTC, {since}."]
    lines += _group_lines(ordered[:MOST_GROUPS], still_open)
    rest = [change for _, group in ordered[MOST_GROUPS:] for change in group.changes]
    if rest:
        lines += ["", f"And in {len(ordered) - MOST_GROUPS:,} more groups: {_format_changes(rest)}."]
    count, at_risk = sum(group.findings for group in groups), sum((group.once for group in groups), Decimal(0))
    lines += ["", f"Open in all: {count:,}, {money(at_risk)} at risk." if count else "Nothing is open now."]
    if link:
        lines.append(f"Report: {link}")
    return Message(f"Syrve wallets: {_counted(changes)}", "\n".join(lines), _kind(changes))


def _group_lines(
    ordered: Sequence[tuple[tuple[str, str], _Group]], still_open: dict[tuple[str, str], OpenGroup]
) -> list[str]:
    lines: list[str] = []
    by_organization: defaultdict[str, list[str]] = defaultdict(list)
    for key, group in ordered:
        now = still_open.get(key)
        line = f"- {id_only(key[1])} ({SEVERITIES[group.rank]}): {_format_changes(group.changes)}"
        if now is None:
            line += "; now none open"
        elif now.findings != sum(change.kind == "opened" for change in group.changes):
            line += f"; now {now.findings:,} open, {_known(now.amount)}"
        by_organization[key[0]].append(line)
    for organization_id, group_lines in by_organization.items():
        lines += ["", f"Organization {organization_id}", *group_lines]
    return lines


def _format_changes(changes: Sequence[Change]) -> str:
    parts = []
    for kind, word in _WORDS.items():
        chosen = [change for change in changes if change.kind == kind]
        if chosen:
            parts.append(f"{len(chosen):,} {word}, {_amount(kind, chosen)}")
    return "; ".join(parts)


def _amount(kind: ChangeKind, changes: Sequence[Change]) -> str:
    now = _known(_sum([change.amount for change in changes]))
    if kind == "amount_changed":
        return f"{_known(_sum([change.reported_amount for change in changes]))} before, {now} now"
    return now


def _sum(amounts: Sequence[Decimal | None]) -> Decimal | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known, Decimal(0)) if known else None


def _known(amount: Decimal | None) -> str:
    return "amount not known" if amount is None else money(amount)


def _counted(changes: Sequence[Change]) -> str:
    counts = {kind: sum(change.kind == kind for change in changes) for kind in _WORDS}
    return ", ".join(f"{count:,} {_WORDS[kind]}" for kind, count in counts.items() if count)


def _kind(changes: Sequence[Change]) -> Kind:
    growing = [change for change in changes if change.kind in ("opened", "raised", "amount_changed")]
    if not growing:
        return "success"
    is_grave = any(change.severity in ("high", "critical") for change in growing if change.kind != "amount_changed")
    return "failure" if is_grave else "warning"
