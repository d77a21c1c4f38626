"""What a row of the plan means in calls: its fields as one change of the customer, its memberships one call each; no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from syrve.api.models import CustomerChange

Changes = Mapping[str, Mapping[str, Any]]
"""As in `crm.push_plan`: `{key: {"from", "to"}}`, values as text; a card also has its `number`, a consent what is `expected` in Syrve."""

_FLAGS = frozenset({"receives_order_status", "receives_promo"})
_MEMBERSHIPS = ("category", "card", "program")


@dataclass(frozen=True, slots=True)
class MembershipStep:
    """One membership to add or remove; `step` is its place in the row, from 1."""

    step: int
    key: str = field(repr=False)
    kind: str
    member_id: str = field(repr=False)
    is_added: bool
    number: str | None = field(default=None, repr=False)

    @property
    def operation(self) -> str:
        """Name the operation as the endpoint table does."""
        return f"{self.kind}_{'add' if self.is_added else 'remove'}"


def field_keys(changes: Changes) -> list[str]:
    """Return the keys that are fields of the customer, in order."""
    return sorted(key for key in changes if ":" not in key)


def membership_steps(changes: Changes) -> list[MembershipStep]:
    """Return the memberships in the order in which they are sent, the same each time."""
    keys = sorted(
        (key for key in changes if ":" in key), key=lambda key: (_MEMBERSHIPS.index(key.partition(":")[0]), key)
    )
    steps = []
    for step, key in enumerate(keys, start=1):
        kind, _, member_id = key.partition(":")
        change = changes[key]
        steps.append(MembershipStep(step, key, kind, member_id, change["to"] == "true", change.get("number")))
    return steps


def widened_consents(changes: Changes, keys: Sequence[str]) -> list[str]:
    """Return the consents among `keys` that would become a yes."""
    return [key for key in keys if key in _FLAGS and changes[key]["to"] == "true"]


def flag_text(flag: bool | None) -> str | None:
    """Return a consent as the warehouse writes it; None is no statement."""
    return None if flag is None else str(flag).lower()


def customer_change(
    changes: Changes, keys: Sequence[str], *, customer_id: str | None, phone: str | None
) -> CustomerChange:
    """Return what `create_or_update` sends: only these fields, and the id or, for a new customer, the phone."""
    values: dict[str, Any] = {key: _value(key, changes[key]["to"]) for key in keys if changes[key]["to"] is not None}
    cleared = tuple(key for key in keys if changes[key]["to"] is None)
    if customer_id is None:
        values["phone"] = phone
    return CustomerChange(customer_id=customer_id, clear=cleared, **values)


def _value(key: str, text: str) -> Any:
    if key == "birthday":
        return date.fromisoformat(text)
    return text == "true" if key in _FLAGS else text
