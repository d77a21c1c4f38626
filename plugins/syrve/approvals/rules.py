"""Who may approve, and how much money at most: plain rules without I/O."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal

TAG_LENGTH = 12
DAY_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True)
class User:
    """A user of Airflow who answered; `name` is the name that Airflow shows."""

    user_id: str
    name: str | None = None

    def may_be(self, name: str) -> bool:
        """Tell whether this may be the user of that name or id, ignoring case, spaces and invisible characters."""
        return _plain(name) in {_plain(self.user_id), _plain(self.name or "")}

    def is_listed_as(self, entry: str) -> bool:
        """Tell whether an entry of a list of users means exactly this one: id or name as it is, but for the case of A to Z.

        What looks like an id is no name: users may choose what they are called.
        """
        names = [self.user_id] if _ID.fullmatch(entry) else [self.user_id, self.name or ""]
        return any(each == entry or ((each + entry).isascii() and each.lower() == entry.lower()) for each in names)


_ID = re.compile(r"[0-9]+|[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}", re.IGNORECASE)


def _plain(name: str) -> str:
    shown = "".join(sign for sign in unicodedata.normalize("NFKC", name) if unicodedata.category(sign) != "Cf")
    return "".join(shown.split()).casefold()


@dataclass(frozen=True, slots=True)
class ApproverRules:
    """Whose approval counts: `approvers` are ids or names (none: every user whom Airflow lets answer).

    Unless `allows_self`, the approver is another user than the one who started the run.
    """

    approvers: Collection[str] = ()
    allows_self: bool = False

    def problem(self, user: User, requested_by: str) -> str | None:
        """Say why the approval of a user does not count; None if it does. A run without a person takes any approver."""
        if self.approvers and not any(user.is_listed_as(each) for each in self.approvers):
            return "the user is not in SYRVE_APPROVERS, which has names and ids as Airflow shows them"
        if requested_by and not self.allows_self and user.may_be(requested_by):
            return "the user started the run; another user must approve it, unless SYRVE_SELF_APPROVAL is true"
        return None


@dataclass(frozen=True, slots=True)
class MoneyLimits:
    """The most that one row, one run and the approvals of 24 hours may move, in the wallets' currency; `name` is that of the settings."""

    per_row: Decimal
    per_run: Decimal
    per_day: Decimal
    name: str = "SYRVE_TOPUP_MAX_AMOUNT"

    def row_problem(self, amount: Decimal) -> str | None:
        """Say that an amount is above the limit of a row."""
        return _above(amount, self.per_row, "one row", f"{self.name}_PER_ROW")

    def run_problem(self, amount: Decimal) -> str | None:
        """Say that an amount is above the limit of a run."""
        return _above(amount, self.per_run, "one run", f"{self.name}_PER_RUN")

    def day_problem(self, amount: Decimal, approved: Decimal) -> str | None:
        """Say that an amount is above what is left of a day's limit."""
        if approved + amount <= self.per_day:
            return None
        return (
            f"{amount:f} is above what is left of the limit of 24 hours: {approved:f} of {self.per_day:f} are approved "
            f"({self.name}_PER_DAY)"
        )


def _above(amount: Decimal, limit: Decimal, what: str, setting: str) -> str | None:
    return f"{amount:f} is above the limit of {what}, {limit:f} ({setting})" if amount > limit else None


def tag(digest: str) -> str:
    """Return the short form of a digest that options carry."""
    return f"[{digest[:TAG_LENGTH]}]"
